"""What a reader sees of a page: its words, and whether keys of the record are among them (X4)."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_KEY = re.compile(r"\b[a-z]+(?:_[a-z0-9]+)+\b")
"""`background_register`, `conflict_with_account`: no word of any language looks like that."""


class Visible(HTMLParser):
    """The words of a page that a reader sees."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self._hidden = 0
        self.feed(html)

    def handle_starttag(self, tag: str, _: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in ("style", "script")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("style", "script")

    def handle_data(self, data: str) -> None:
        if not self._hidden and data.strip():
            self.words.append(data.strip())


def keys_in(html: str) -> set[str]:
    return {key for words in Visible(html).words for key in _KEY.findall(words)}
