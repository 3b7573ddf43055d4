"""From bytes to text: which encoding makes valid, plausible text."""

import codecs
import re
from itertools import pairwise

_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8"),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
# Of what is neither UTF-8 nor UTF-16; the first one wins where two are as plausible.
_CANDIDATES = ("cp932", "euc_jp", "cp1252")
# Bytes looked at to judge how plausible a reading is.
_SAMPLE = 200_000
# Below this plausibility, or this near to the next one, the choice is called unsure.
_SURE, _CLEARLY = 0.7, 0.15

_KANA_OR_KANJI = "\u3005-\u3007\u3041-\u30ff\u4e00-\u9fff"
_JAPANESE = re.compile(
    f"[{_KANA_OR_KANJI}\u3001-\u3015\uff01-\uff5e\uffe5\u2103\u2460-\u2473\u00d7\u00b1\u00b0"
    "\u0391-\u03c9\u2190-\u21ff\u25a0-\u25ef]"
)
_LONE_SIGNS = frozenset("\u2103\u00d7\u00b1\u00b0\u25cb\u25cf\u25b3\u25b2\u25a1\u25a0\u25ce\u2605")
_HALF_WIDTH = re.compile("[\uff61-\uff9f]")
_GREEK = re.compile("[\u0391-\u03c9\u2211\u2206]")
_LATIN_SIGNS = frozenset(
    "\u00b0\u00b5\u00b1\u00b2\u00b3\u00d7\u20ac\u00a3\u00a7\u00b7\u00a0\u2030\u00d8"
)
_TYPOGRAPHY = frozenset(
    "\u00bd\u00bc\u00be\u00f7\u00a9\u00ae\u00aa\u00ba\u2022\u2013\u2014\u2018\u2019\u201c\u201d\u201e\u2026\u00ab\u00bb\u00a1\u00bf\u2122"
)
_UNUSUAL_LETTERS = frozenset("\u00c3\u00d0\u00de\u00fe\u00f0\u0178\u0192\u02c6")


def decode(content: bytes, encoding: str | None, name: str) -> tuple[str, str, str]:
    """Return the text, the encoding it was read in, and a doubt about it (or nothing).

    Raises
    ------
    ValueError
        If the bytes are no text, or none in the encoding asked for; one sentence that says why.
    """
    if encoding is not None:
        return _decode_as(content, encoding, name), encoding, ""
    for mark, codec, title in _BOMS:
        if content.startswith(mark):
            try:
                return content.decode(codec), title, ""
            except UnicodeDecodeError:
                break
    wide = _without_mark(content)
    if wide is not None:
        return wide
    if b"\0" in content:
        raise ValueError(f"{name} is not a CSV file: it holds binary data.")
    if b"\x1b$" in content or b"\x1b(" in content:
        try:
            return content.decode("iso2022_jp"), "iso2022_jp", ""
        except UnicodeDecodeError:
            pass
    try:
        return content.decode("utf-8"), "UTF-8", ""
    except UnicodeDecodeError as error:
        _refuse_broken_utf8(content, error, name)
    return _most_plausible(content, name)


def _decode_as(content, encoding, name):
    try:
        codec = codecs.lookup(encoding).name
        text = content.decode("utf-8-sig" if codec == "utf-8" else codec)
    except LookupError:
        raise ValueError(
            f"The encoding {encoding!r} is not known; utf-8, utf-16, cp932, euc_jp and cp1252 are "
            "the usual ones."
        ) from None
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{name} is not in the encoding {encoding!r}: line {line} has bytes that stand for no "
            "character there."
        ) from None
    except (UnicodeError, TypeError, AttributeError):
        raise ValueError(f"{name} cannot be read in the encoding {encoding!r}.") from None
    return text.removeprefix("\ufeff")


def _without_mark(content):
    """UTF-16 without a byte order mark: every second byte of Latin text is zero."""
    head = content[: _SAMPLE - _SAMPLE % 2]
    if len(content) % 2 or len(head) < 8:
        return None
    zeros = [head[start::2].count(0) / (len(head) // 2) for start in (0, 1)]
    if max(zeros) > 0.4 and min(zeros) < 0.02:
        codec = "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
        try:
            return content.decode(codec), codec, ""
        except UnicodeDecodeError:
            pass
    return None


def _refuse_broken_utf8(content, error, name):
    """A file of UTF-8 with a few bytes that are not is damaged, not in another encoding."""
    text = content.decode("utf-8", errors="surrogateescape")
    broken = sum(len(run) for run in re.findall("[\udc80-\udcff]+", text))
    sound = len(re.findall("[\u0080-\ud7ff\ue000-\uffff]", text))
    if sound > 2 * broken:
        line = content.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f"{name} is in UTF-8, but line {line} has bytes in another encoding: correct that "
            "line, or name the encoding of the file with --encoding."
        )


def _most_plausible(content, name):
    found = []
    for codec in _CANDIDATES:
        try:
            text = content.decode(codec)
        except UnicodeDecodeError:
            continue
        found.append((_plausibility(text[:_SAMPLE], codec), codec, text))
    if not found or max(score for score, _, _ in found) < 0.1:
        raise ValueError(
            f"{name} is not a CSV file in UTF-8 or cp932 (Shift-JIS), EUC-JP or cp1252; save it as "
            "'CSV UTF-8', or name its encoding with --encoding."
        )
    found.sort(key=lambda entry: -entry[0])
    score, codec, text = found[0]
    others = [other for s, other, _ in found[1:] if s > score - _CLEARLY]
    doubt = ""
    if others:
        doubt = f"; it may also be {others[0]}"
    elif score < _SURE:
        doubt = "; this is not sure"
    return text, codec, doubt


def _plausibility(text, codec):
    """Mean over the runs of characters beyond ASCII: 1 for usual text, 0 for what nobody writes."""
    judge = _western if codec == "cp1252" else _japanese
    total = weight = 0.0
    for match in re.finditer(r"[^\x00-\x7f]+", text):
        run = match[0]
        before = text[match.start() - 1 : match.start()]
        after = text[match.end() : match.end() + 1]
        total += len(run) * judge(run, before, after, codec)
        weight += len(run)
    return total / weight if weight else 0.0


def _japanese(run, before, after, codec):
    half = len(_HALF_WIDTH.findall(run))
    usual = len(_JAPANESE.findall(run))
    if len(run) == 1:
        # A lone sign of Western text becomes a lone character between Latin letters.
        if run in _LONE_SIGNS or _GREEK.match(run):
            return 0.9
        beside_letters = before.isalpha() or after.isalpha()
        if half:
            return 0.0 if beside_letters else 0.2
        return 0.1 if beside_letters else 0.6 * usual
    widths = [_HALF_WIDTH.match(character) is None for character in run]
    changes = sum(a != b for a, b in pairwise(widths))
    # Half the bytes of cp1252 and EUC-JP are half-width katakana in cp932. In EUC-JP each of them
    # takes two bytes, which no other text has by chance.
    worth = 1.1 if codec == "euc_jp" else 0.75 if len(run) > 2 else 0.5
    return max(0.0, (usual + worth * half) / len(run) - 0.3 * changes / len(run))


def _western(run, before, after, codec):
    if len(run) > 3:
        return 0.05  # no word of cp1252 has four letters with accents in a row
    score = 0.0
    for character in run:
        if character in _LATIN_SIGNS:
            score += 0.8
        elif character in _TYPOGRAPHY:
            score += 0.4
        elif character.isalpha() and character not in _UNUSUAL_LETTERS and ord(character) < 0x180:
            in_word = before.isalpha() or after.isalpha()
            score += (1.0 if len(run) == 1 else 0.8) if in_word else 0.4
    return score / len(run) - (0.1 if len(run) == 3 else 0)
