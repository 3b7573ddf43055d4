"""Notes in other languages: each English sentence has a pattern, and a sentence for it.

A pattern is the English sentence with names in braces for what varies. What is found in their
place is put into the other sentence, after it was translated itself if it has a pattern. A
sentence without a pattern stays English; a test holds that the notes of the reader have one.
"""

import re
import tomllib
from functools import cache
from importlib.resources import files

_NAMES = re.compile(r"\{(\w+)\}")


def translated(text: str, lang: str) -> str:
    """Return a sentence of the reader in another language, or as it is."""
    for pattern, words in () if lang == "en" else _patterns(lang):
        found = pattern.fullmatch(text)
        if found:
            own = {name: translated(part, lang) for name, part in found.groupdict().items()}
            if own.get("note", "") == found.groupdict().get("note"):
                continue  # Of a file and its note, the note has no pattern.
            return words.format(**own)
    return text


@cache
def _patterns(lang):
    """Pairs of a pattern and its sentence, in the order of the file."""
    path = files(__package__).joinpath(f"notes_{lang}.toml")
    pairs = tomllib.loads(path.read_text(encoding="utf-8"))["notes"]
    return [(_compiled(one["en"]), one[lang]) for one in pairs]


def _compiled(sentence):
    pieces = _NAMES.split(sentence)
    # Names stand at odd places; numbers are named n, as in n_rows.
    parts = [
        re.escape(piece)
        if place % 2 == 0
        else f"(?P<{piece}>{'[0-9,]+' if piece.startswith('n_') else '.+?'})"
        for place, piece in enumerate(pieces)
    ]
    return re.compile("".join(parts), re.DOTALL)
