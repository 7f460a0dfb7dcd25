"""The console, as a browser without script uses it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import unescape
from urllib.parse import urlencode

from embedded.demo.driver import Answer, Web, until

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Console:
    """Somebody who is signed in."""

    def __init__(self, web: Web, person: str) -> None:
        self.web = Web(web.url)  # a browser of one's own: a second person who signs in with it ends the first session
        signed_in = self.web.request("POST", "/dev/sign-in", urlencode({"person": person, "back": "/"}).encode(), FORM)
        assert signed_in.status == 303, signed_in.text
        self.cookie = signed_in.headers["set-cookie"].partition(";")[0]

    def open(self, path: str) -> Answer:
        return self.web.request("GET", path, None, {"Cookie": self.cookie})

    def send(self, path: str, fields: Mapping[str, str], *, page: str = "") -> Answer:
        """Fill in the form of `page` (`path` itself by default), keeping what it holds, and send it to `path`."""
        shown = self.open(page or path)
        assert shown.status == 200, shown.words
        values = held(shown.text, path) | dict(fields)
        return self.web.request("POST", path, urlencode(values).encode(), {**FORM, "Cookie": self.cookie})

    def does(self, path: str, fields: Mapping[str, str], *, page: str = "") -> Answer:
        """`send`, and the page that it leads to once it is recorded."""
        sent = self.send(path, fields, page=page)
        assert sent.status == 303, sent.words
        target = sent.headers["location"]

        def recorded() -> Answer | None:
            shown = self.open(target.partition("#")[0])
            waiting = target.startswith("/receipts/") and "hx-trigger" in shown.text
            return None if waiting else shown

        return until(f"{path} is recorded", recorded)


def held(page: str, path: str) -> dict[str, str]:
    """What the form that is sent to `path` holds."""
    form = re.search(rf'<form[^>]* action="{re.escape(path)}".*?</form>', page, re.DOTALL)
    assert form, f"no form for {path}"
    inputs = re.findall(r"<input[^>]*>", form.group(0))
    found = {}
    for tag in inputs:
        name, value = (re.search(rf'{attribute}="([^"]*)"', tag) for attribute in ("name", "value"))
        ticked = 'type="checkbox"' not in tag or " checked" in tag
        if name and ticked:
            found[name.group(1)] = unescape(value.group(1)) if value else ""
    for name, text in re.findall(r'<textarea[^>]*name="([^"]*)"[^>]*>\n?(.*?)</textarea>', form.group(0), re.DOTALL):
        found[name] = unescape(text)
    for name, options in re.findall(r'<select[^>]*name="([^"]*)"[^>]*>(.*?)</select>', form.group(0), re.DOTALL):
        chosen = re.search(r'<option value="([^"]*)" selected', options)
        found[name] = unescape(chosen.group(1)) if chosen else ""
    return found
