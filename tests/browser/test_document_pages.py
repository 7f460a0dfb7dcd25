"""The files on the page of an application in a browser: attaching, what is refused, downloading."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.browser.conftest import WIDTHS, SeatMaker
from tests.documents import HTML, PDF
from tests.e2e.support.stack import Stack, new_form

APPLICANT = "yang.fan"


@pytest.fixture(scope="module")
def address(stack: Stack) -> str:
    return f"/applications/{stack.portal.submit(APPLICANT, new_form()).json['id']}"


@pytest.mark.parametrize("script", [True, False])
@pytest.mark.parametrize("width", WIDTHS)
def test_n11_a_file_is_attached_refused_and_downloaded(
    seat: SeatMaker, address: str, width: int, script: bool, tmp_path: Path
) -> None:
    here = seat(width=width, script=script)
    page = here.sign_in(APPLICANT, address)
    name = f"客户计划-{width}-{script}-{'很长的文件名' * 12}.pdf"
    page.get_by_label("选择文件").set_input_files({"name": name, "mimeType": "application/pdf", "buffer": PDF})
    page.get_by_label("文件属于").select_option("客户计划")
    page.get_by_role("button", name="上传").click()
    link = page.get_by_role("link", name=f"客户计划-{width}-{script}")
    link.wait_for()
    assert page.url == f"{here.address}{address}#documents"
    assert "客户计划 · 杨帆" in page.locator("#documents").inner_text()
    with page.expect_download() as started:
        link.click()
    saved = tmp_path / "saved"
    started.value.save_as(saved)
    assert saved.read_bytes() == PDF

    page.get_by_label("选择文件").set_input_files({"name": "x.pdf", "mimeType": "application/pdf", "buffer": HTML})
    page.get_by_label("文件属于").select_option("客户计划")
    page.get_by_role("button", name="上传").click()
    error = page.locator("#document-file-error")
    error.wait_for()
    assert "扩展名 .pdf 不符" in error.inner_text()
    assert page.get_by_label("文件属于").input_value() == "account_plan"
    if script:
        assert page.evaluate("document.activeElement.id") == "document-file"
        here.is_accessible()
        here.fits()
    if shots := os.environ.get("SHOTS"):
        page.screenshot(path=f"{shots}/documents-{width}-{script}.png", full_page=True)
