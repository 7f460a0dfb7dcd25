"""The technique of the pages: one vendored script, nothing inline (X2, X4)."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
HTMX_VERSION = "4.0.1"
HTMX_SHA256 = "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130"
INLINE = re.compile(
    r"\s(?:style|on[a-z]+|hx-on[:a-z-]*)\s*=|<style|javascript:|js:|<script(?![^>]*\ssrc=)", re.IGNORECASE
)
DOSSIER = "dossier.html.j2"
"""A page that is kept as a file: it brings its style sheet with it, and its policy allows that one by its hash."""


def templates() -> list[Path]:
    return [path for room in ("web", "embedded") for path in (ROOT / room / "templates").rglob("*.j2")]


def test_the_vendored_script_is_what_its_makers_published() -> None:
    script = (ROOT / "web/static/htmx.min.js").read_bytes()
    assert hashlib.sha256(script).hexdigest() == HTMX_SHA256, f"not htmx {HTMX_VERSION}"
    assert "Zero-Clause BSD" in (ROOT / "web/static/htmx.LICENSE.txt").read_text(encoding="utf-8")


def test_no_template_has_a_script_or_a_style_inline() -> None:
    found = {
        path.name: match.group(0).strip()
        for path in templates()
        if path.name != DOSSIER and (match := INLINE.search(path.read_text(encoding="utf-8")))
    }
    assert found == {}


def test_every_form_that_is_posted_in_the_console_carries_the_hidden_fields() -> None:
    """Pages behind mail links have none: the link is the authority. Their forms name their hidden fields themselves."""
    signed_in = [path for path in templates() if '{% extends "console.html.j2" %}' in path.read_text(encoding="utf-8")]
    assert len(signed_in) > 10
    missing = [
        path.name
        for path in signed_in
        for form in re.findall(r"<form\b.*?</form>", path.read_text(encoding="utf-8"), re.DOTALL)
        if 'method="post"' in form and not re.search(r"hidden\(|kept\(|hidden\.", form)
    ]
    assert missing == []
