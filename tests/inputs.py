"""Pages as a browser reads them: controls and what they would send, labels, anchors."""

from __future__ import annotations

from html.parser import HTMLParser


class Inputs(HTMLParser):
    """What a browser would send, and what the page is made of."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self.checked: list[str] = []
        self.radios: dict[str, list[str]] = {}
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.labelled: set[str] = set()
        self.anchors: set[str] = set()
        self.attributes: set[str] = set()
        self._area: str | None = None
        self._select: str | None = None
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.attributes |= set(found)
        self.ids += [found["id"]] if "id" in found else []
        self.labelled |= {found["for"]} if "for" in found else set()
        if found.get("href", "").startswith("#"):
            self.anchors.add(found["href"][1:])
        if tag == "input" and found["type"] in ("radio", "checkbox"):
            self.radios.setdefault(found["name"], []).append(found["value"])
            if "checked" in found:
                self.checked.append(found["name"])
                self.values[found["name"]] = found["value"]
        elif tag == "input":
            self.values[found["name"]] = found["value"]
        elif tag == "textarea":
            self._area = found["name"]
            self.values[self._area] = ""
        elif tag == "select":
            self._select = found["name"]
        elif tag == "option" and "selected" in found and self._select:
            self.values[self._select] = found["value"]

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea" and self._area:
            self.values[self._area] = self.values[self._area].removeprefix("\n")
            self._area = None

    def handle_data(self, data: str) -> None:
        if self._area:
            self.values[self._area] += data
