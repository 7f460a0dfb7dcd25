"""What is compressed on the wire: the files that every page refers to, and no page."""

from __future__ import annotations

import pytest

from tests.integration.pages.page_door import Pages
from tests.integration.projects.project_door import CLERK


@pytest.mark.parametrize("path", ["/static/htmx.min.js", "/static/baobei.css", "/static/console.css"])
async def test_files_are_compressed_for_whoever_reads_that(pages: Pages, path: str) -> None:
    plain = await pages.get(CLERK, path, headers={"Accept-Encoding": "identity"})
    packed = await pages.get(CLERK, path, headers={"Accept-Encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.content == plain.content
    assert int(packed.headers["content-length"]) < len(plain.content) / 2


async def test_x2_a_page_with_a_secret_is_never_compressed(pages: Pages) -> None:
    for path in ("/", "/inbox", "/check"):
        shown = await pages.get(CLERK, path, headers={"Accept-Encoding": "gzip"})
        assert "content-encoding" not in shown.headers
