"""What the pages of monitoring share: a verdict, a figure, and how the file was read."""

from ._svg import draw


def summary_section(heading, head, sentences, kind):
    """The first section: a few words, and sentences."""
    verdict = {"kind": f"decision {kind}", "word": head, "sentences": sentences, "value": None}
    return {"id": "summary", "heading": heading, "verdicts": [verdict]}


def figure_section(name, heading, figures, texts):
    """A section of (figure, label) pairs."""
    from markupsafe import Markup  # a part of jinja2, which every page needs

    drawn = [
        {"label": label, "svg": Markup(draw(figure, label, f"{name}{place}", texts["lang"]))}
        for place, (figure, label) in enumerate(figures)
    ]
    return {"id": name, "heading": heading, "figures": drawn}


def reading_section(reading, texts):
    """How the file was read, and by which command."""
    facts = ("command", "date", "version")
    return {
        "id": "reading",
        "heading": texts["section_reading"],
        "entries": [(texts[f"reading_{fact}"], reading[fact]) for fact in facts if fact in reading],
        "notes": list(reading.get("notes", ())) or [texts["reading_nothing"]],
    }
