"""Takes the screenshots of the README from a running product: `make up`, then `.venv/bin/python -m docs.screenshots`.

It signs in as people of the sample company, at the width of a desk and of a phone, in the language of each README.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Final

from playwright.sync_api import Browser, sync_playwright

HERE: Final = Path(__file__).parent / "screenshots"
SHOTS: Final = (
    ("desk", "yang.fan", "/", "h1"),
    ("inbox", "li.ming", "/inbox", "h1"),
    ("form", "yang.fan", "/apply", "h1"),
)
"""Name of the picture, who is signed in, the page, and what it has to show before it is taken."""
WIDTHS: Final = (("wide", 1440, 900), ("narrow", 360, 780))
LANGUAGES: Final = {"zh": "中文", "en": "English"}


def main(address: str) -> None:
    """Take every picture from the product at `address`."""
    HERE.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        chromium = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for language in LANGUAGES:
            for name, person, path, ready in SHOTS:
                for width_name, width, height in WIDTHS:
                    target = HERE / f"{name}-{width_name}-{language}.png"
                    _take(browser, address, person, path, ready, language, (width, height), target)
        browser.close()


def _take(
    browser: Browser,
    address: str,
    person: str,
    path: str,
    ready: str,
    language: str,
    size: tuple[int, int],
    target: Path,
) -> None:
    context = browser.new_context(viewport={"width": size[0], "height": size[1]})
    page = context.new_page()
    page.goto(f"{address}{path}")
    page.locator(f'button[name="person"][value="{person}"]').click()
    other = page.get_by_role("button", name=LANGUAGES[language], exact=True)
    if other.count():  # the button offers the language that is not shown
        other.click()
    if page.locator(".rows-of-inbox a").count() and name_of(path) == "inbox":
        page.locator(".rows-of-inbox a").first.click()
    page.locator(ready).first.wait_for()
    page.screenshot(path=str(target))
    context.close()


def name_of(path: str) -> str:
    """The name of the picture of a page."""
    return next(name for name, _, shown, _ in SHOTS if shown == path)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8700")
