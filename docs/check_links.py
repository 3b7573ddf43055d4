"""Check the internal links of the built pages: every file and every anchor they point to exists.

python docs/check_links.py docs/_build
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The addresses that a page points to, and the anchors that it has."""

    def __init__(self, path):
        super().__init__()
        self.links, self.anchors = set(), set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name in ("href", "src") and value:
                self.links.add(value)
            elif name == "id" or (tag == "a" and name == "name"):
                self.anchors.add(value)


def broken(folder):
    """Pages and their links that lead nowhere, as lines of text."""
    pages = {
        path.resolve(): Page(path)
        for path in sorted(Path(folder).rglob("*.html"))
        # Templates of the theme are no pages.
        if "_static" not in path.parts
    }
    for path, page in pages.items():
        for link in sorted(page.links):
            address = urlsplit(link)
            if address.scheme or address.netloc:
                continue
            target = (path.parent / unquote(address.path)).resolve() if address.path else path
            if not target.exists():
                yield f"{path.relative_to(Path(folder).resolve())}: {link}"
            elif (
                address.fragment
                and target in pages
                and unquote(address.fragment) not in pages[target].anchors
            ):
                yield f"{path.relative_to(Path(folder).resolve())}: {link} (no such anchor)"


if __name__ == "__main__":
    found = list(broken(sys.argv[1]))
    print(*found, sep="\n")
    sys.exit(f"{len(found)} broken links" if found else 0)
