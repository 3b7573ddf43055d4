"""Figures as SVG that can stand in an HTML page."""

import io
import re
from xml.etree import ElementTree

from ._plots import style
from ._text import printable

DECIMALS = 2  # of coordinates: a hundredth of a point cannot be seen
LENGTHS = ("d", "x", "y", "width", "height", "transform", "points")


def draw(figure, label, prefix, lang):
    """A figure as an SVG element, with its description; its ids begin with `prefix`."""
    from matplotlib import rc_context

    file = io.StringIO()
    settings = {"svg.fonttype": "none", "svg.hashsalt": prefix, "savefig.transparent": True}
    with style(lang), rc_context(settings):
        figure.savefig(file, format="svg", metadata={"Date": None})
    svg = ElementTree.fromstring(file.getvalue())
    _drop_metadata(svg)
    for element in svg.iter():
        _clean(element)
    _rename_ids(svg, prefix)
    for key in ("width", "height", "version"):
        svg.attrib.pop(key, None)
    svg.set("role", "img")
    svg.set("aria-label", printable(label))
    return ElementTree.tostring(svg, encoding="unicode")


def drawn(figure, label, prefix, lang):
    """A figure of a page: its description, and its SVG element."""
    from markupsafe import Markup

    return {"label": label, "svg": Markup(draw(figure, label, prefix, lang))}


def _drop_metadata(svg):
    """Remove metadata, and styles that would hold for the whole page."""
    for parent in list(svg.iter()):
        for child in list(parent):
            if _local(child.tag) in ("metadata", "style"):
                parent.remove(child)


def _clean(element):
    """Remove namespaces, needless digits, fonts and spaces from an element."""
    element.tag = _local(element.tag)
    attributes = {_local(key): value for key, value in element.attrib.items()}
    for key, value in attributes.items():
        if key in LENGTHS:
            attributes[key] = re.sub(r"\d+\.\d{3,}", _rounded, " ".join(value.split()))
        elif key == "style":  # the page has its fonts
            value = re.sub(r"font: .*?([\d.]+)px [^;]*", r"font-size: \1px", value)
            attributes[key] = re.sub(r"font-family: [^;]*;? ?", "", value)
    if attributes.get("transform", "").startswith("rotate(-0 "):
        del attributes["transform"]
    if element.tag != "text":
        element.text = None
    element.tail = None
    element.attrib.clear()
    element.attrib.update(attributes)


def _rename_ids(svg, prefix):
    """Keep the ids that something refers to, with a prefix of this figure's own."""
    used = set()
    for element in svg.iter():
        for key, value in element.attrib.items():
            used.update([value[1:]] if _is_reference(key, value) else [])
            used.update(re.findall(r"url\(#([^)]+)\)", value))
    for element in svg.iter():
        name = element.attrib.pop("id", None)
        if name in used:
            element.set("id", f"{prefix}-{name}")
        for key, value in element.attrib.items():
            if _is_reference(key, value):
                element.set(key, f"#{prefix}-{value[1:]}")
            elif "url(#" in value:
                element.set(key, value.replace("url(#", f"url(#{prefix}-"))


def _is_reference(key, value):
    return key == "href" and value.startswith("#")


def _local(name):
    """A name without its namespace."""
    return name.rpartition("}")[2]


def _rounded(match):
    return f"{float(match[0]):.{DECIMALS}f}".rstrip("0").rstrip(".")
