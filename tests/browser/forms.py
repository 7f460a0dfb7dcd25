"""Fills in the forms of the console as a person does."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

from web.forms.form import flatten


def fill_in(page: Page, form: dict[str, Any]) -> None:
    """Type a form, given as JSON, into the inputs of a page; rows are added where there are too few."""
    for name, value in flatten(form).items():
        if not value:
            continue
        inputs = page.locator(f'[name="{name}"]')
        if not inputs.count():
            page.locator('button[name="step"][value="more"]').click()
        first = inputs.first
        kind, tag = first.get_attribute("type"), first.evaluate("element => element.tagName")
        if kind == "radio":
            page.locator(f'[name="{name}"][value="{value}"]').check()
        elif tag == "SELECT":
            first.select_option(value)
        else:
            first.fill(value)
