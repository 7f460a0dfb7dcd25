"""The page with the files of a subject: a form without script, for whoever is signed in and sees the subject."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.documents import HTML, PDF
from tests.integration.documents.conftest import Archive, hidden
from tests.integration.projects.project_door import APPLICANT, OTHER, the_app
from tests.unit.pages.test_headings import Headings, skipped

PAGE = "/documents/projects/p1"
Files = dict[str, tuple[str, bytes]]


async def sent(
    browser: httpx.AsyncClient, files: Files, *, page: str = PAGE, headers: dict[str, str] | None = None, **fields: Any
) -> httpx.Response:
    """Open the page, fill in its form and send it. Fields given here replace those of the page."""
    form = hidden((await browser.get(page)).text) | fields
    return await browser.post(page, data=form, files=files, headers=headers or {})


async def test_n11_a_file_is_attached_listed_and_downloaded(kept: Archive) -> None:
    async with await kept.browser(APPLICANT) as browser:
        before = await browser.get(PAGE)
        assert before.status_code == 200
        assert "还没有文件" in before.text
        answer = await sent(browser, {"file": ("计划.pdf", PDF)}, belongs_to="decision:t1")
        assert (answer.status_code, answer.headers["location"]) == (303, PAGE)
        after = await browser.get(PAGE)
        assert "计划.pdf" in after.text
        assert "还没有文件" not in after.text
        (row,) = await kept.rows("SELECT id, part, about FROM document")
        assert (row.part, row.about) == ("decision", "t1")
        got = await browser.get(f"/documents/{row.id}")
        assert got.content == PDF
        assert got.headers["content-disposition"].startswith("attachment")


async def test_n11_the_page_of_the_project_has_the_files_and_takes_one(kept: Archive) -> None:
    async with await kept.browser(APPLICANT) as browser:
        form = hidden((await browser.get("/projects/p1")).text)
        answer = await browser.post(PAGE, data=form, files={"file": ("计划.pdf", PDF)})
        assert (answer.status_code, answer.headers["location"]) == (303, "/projects/p1#documents")
        page = (await browser.get("/projects/p1")).text
        assert "计划.pdf" in page.partition('id="documents"')[2].partition("</section>")[0]
        assert not skipped(page)


async def test_the_form_goes_back_to_the_page_that_showed_it_and_never_to_another_site(kept: Archive) -> None:
    async with await kept.browser(APPLICANT) as browser:
        for back, wanted in (("/projects/p1", "/projects/p1"), ("https://evil.example/", "/"), ("//evil.example", "/")):
            answer = await sent(browser, {"file": ("plan.pdf", PDF)}, back=back)
            assert answer.headers["location"] == wanted


async def test_n11_a_form_sent_twice_is_one_document_and_filled_in_anew_another(kept: Archive) -> None:
    async with await kept.browser(APPLICANT) as browser:
        form = hidden((await browser.get(PAGE)).text)
        for _ in range(2):
            await browser.post(PAGE, data=form, files={"file": ("plan.pdf", PDF)})
        assert len(await kept.rows("SELECT 1 FROM document")) == 1
        await sent(browser, {"file": ("plan.pdf", PDF)})
        assert len(await kept.rows("SELECT 1 FROM document")) == 2


@pytest.mark.parametrize(
    ("files", "status", "words"),
    [
        ({"file": ("plan.pdf", b"")}, 422, "0 字节"),
        ({"file": ("plan.pdf", HTML)}, 422, "扩展名 .pdf 不符"),
        ({"file": ("page.html", HTML)}, 422, "不接受这种类型"),
        ({"file": ("", b"")}, 422, "请选择要上传的文件"),
        ({"file": ("plan.pdf", PDF + bytes(25 * 1024 * 1024))}, 413, "超过 25 MB"),
    ],
)
async def test_n11_a_refusal_stands_beside_the_form_and_what_was_chosen_stays(
    kept: Archive, files: Files, status: int, words: str
) -> None:
    async with await kept.browser(APPLICANT) as browser:
        answer = await sent(browser, files, belongs_to="decision:t1")
        assert answer.status_code == status
        assert words in answer.text
        assert 'aria-invalid="true"' in answer.text
        if status == 422:
            assert '<option value="decision:t1" selected>' in answer.text
        assert await kept.nothing_is_kept()


async def test_x2_nobody_else_sees_or_sends_anything(kept: Archive) -> None:
    async with await kept.browser(APPLICANT) as mine:
        await sent(mine, {"file": ("plan.pdf", PDF)})
        (row,) = await kept.rows("SELECT id FROM document")
        form = hidden((await mine.get(PAGE)).text)
    async with await kept.browser(OTHER) as other:
        assert (await other.get(PAGE)).status_code == 404
        assert (await other.get(f"/documents/{row.id}")).status_code == 404
        assert (await other.post(PAGE, data=form, files={"file": ("a.pdf", PDF)})).status_code == 404
    async with httpx.AsyncClient(transport=httpx.ASGITransport(the_app()), base_url="http://here") as nobody:
        for path in (PAGE, f"/documents/{row.id}"):
            assert (await nobody.get(path)).headers["location"].startswith("/sign-in")
        refused = await nobody.post(PAGE, data=form, files={"file": ("a.pdf", PDF)})
        assert refused.status_code == 401
        assert "重新选择文件" in refused.text
    assert len(await kept.rows("SELECT 1 FROM document")) == 1


async def test_a_form_from_another_site_or_session_keeps_nothing(kept: Archive) -> None:
    async with await kept.browser(APPLICANT) as browser:
        for fields, headers in (
            ({"csrf": "guessed"}, {}),
            ({"csrf": ""}, {}),
            ({}, {"sec-fetch-site": "cross-site"}),
            ({}, {"origin": "https://evil.example"}),
        ):
            answer = await sent(browser, {"file": ("a.pdf", PDF)}, headers=headers, **fields)
            assert answer.status_code == 403
            assert "文件没有保存" in answer.text
    assert await kept.nothing_is_kept()


async def test_x4_the_page_is_there_in_english_and_says_who_sees_the_files(kept: Archive) -> None:
    async with await kept.browser(APPLICANT) as browser:
        form = hidden((await browser.get(PAGE)).text)
        await browser.post("/session/language", data={"csrf": form["csrf"], "language": "en", "back": PAGE})
        page = (await browser.get(PAGE)).text
        assert "Everybody who can see this page can see the files" in page
        assert "up to 25 MB each" in page
        assert "<script>" not in page
        assert "style=" not in page
        assert Headings(page).levels[:1] == [1]
        assert not skipped(page)


async def test_without_a_store_the_page_offers_no_form(kept: Archive) -> None:
    async with await kept.browser(APPLICANT) as browser:
        the_app().state.parts.documents = None
        page = await browser.get(PAGE)
        assert page.status_code == 200
        assert 'type="file"' not in page.text
