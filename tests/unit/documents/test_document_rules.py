"""Which files are taken, and how they are called (N1, N11)."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents.sniffing import HEAD, TextCheck, types_that_fit
from domain.documents.document import (
    LONGEST_NAME,
    MOST_BYTES_OF_NAME,
    PARTS,
    DocumentPart,
    DocumentType,
    Target,
    clean_name,
    is_target_of,
)
from domain.documents.judgements import judge_number, judge_size, judge_type
from domain.policy import load_policy
from domain.refusals import RefusalCode, Refused
from domain.subject import SubjectType
from tests.documents import HTML, PDF, PROGRAM, archive, image_bomb

LIMITS = load_policy().documents
OLE = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600)
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00" + bytes(64)


def judged(name: str, content: bytes) -> str:
    """The type that a file is taken for, or the code of its refusal."""
    text = TextCheck()
    text.feed(content)
    text.feed(b"", last=True)
    try:
        return judge_type(name, types_that_fit(content[:HEAD], is_text=text.holds), LIMITS)
    except Refused as refused:
        return refused.code


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("合同.pdf", PDF),
        ("plan.DOCX", archive("[Content_Types].xml")),
        ("plan.xlsx", archive("xl/workbook.xml")),
        ("plan.pptx", archive("_rels/.rels")),
        ("old.doc", OLE),
        ("old.xls", OLE),
        ("scan.png", image_bomb()),
        ("scan.jpg", JPEG),
        ("scan.jpeg", JPEG),
        ("notes.txt", "会议纪要：下周一提交报价\r\n".encode()),
        ("notes.txt", "会议纪要：下周一提交报价".encode("gb18030")),
        ("notes.txt", "会议纪要".encode("utf-16")),
        ("figures.csv", b"customer,amount\nA,1\n"),
    ],
)
def test_n11_a_file_that_is_what_it_says_is_taken(name: str, content: bytes) -> None:
    assert judged(name, content) == name.rpartition(".")[2].lower()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("report.pdf", PROGRAM),
        ("report.docx", PROGRAM),
        ("report.txt", PROGRAM),
        ("report.pdf", HTML),
        ("report.txt", HTML),
        ("report.csv", b"\xef\xbb\xbf \n<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>"),
        ("report.docx", archive("META-INF/MANIFEST.MF")),
        ("report.docx", b"PK\x03\x04"),
        ("report.png", JPEG),
        ("report.xlsx", OLE),
        ("report.txt", b"\x7fELF\x02\x01\x01" + bytes(64)),
        ("report.pdf", b"just text"),
    ],
)
def test_n11_a_file_that_is_something_else_is_refused_whatever_it_is_called(name: str, content: bytes) -> None:
    assert judged(name, content) == RefusalCode.DOCUMENT_NOT_ITS_TYPE


@pytest.mark.parametrize("name", ["setup.exe", "page.html", "picture.svg", "archive.zip", "plan.docm", "plan", "pdf."])
def test_n11_a_type_that_the_policy_does_not_name_is_refused(name: str) -> None:
    assert judged(name, PDF) == RefusalCode.DOCUMENT_TYPE_NOT_ALLOWED


def test_n11_the_policy_decides_which_types_are_taken() -> None:
    limits = LIMITS.model_copy(update={"types": (DocumentType.PNG,)})
    with pytest.raises(Refused) as refused:
        judge_type("a.pdf", {DocumentType.PDF}, limits)
    assert refused.value.problems[0].field == "file"
    assert refused.value.facts == {"types": "png"}


def test_text_is_recognised_across_pieces() -> None:
    whole = "报备" * 1000
    for encoding in ("utf-8", "gb18030", "utf-16"):
        text = TextCheck()
        written = whole.encode(encoding)
        for start in range(0, len(written), 7):
            text.feed(written[start : start + 7])
        text.feed(b"", last=True)
        assert text.holds
    cut = TextCheck()
    cut.feed("报".encode()[:1])
    cut.feed(b"", last=True)
    assert not cut.holds


def test_n11_size_at_the_border() -> None:
    judge_size(1, LIMITS)
    judge_size(25 * 1024 * 1024, LIMITS)
    for size, code in ((0, RefusalCode.DOCUMENT_EMPTY), (25 * 1024 * 1024 + 1, RefusalCode.DOCUMENT_TOO_LARGE)):
        with pytest.raises(Refused) as refused:
            judge_size(size, LIMITS)
        assert refused.value.code == code


def test_n11_number_at_the_border() -> None:
    judge_number(99, LIMITS)
    with pytest.raises(Refused):
        judge_number(100, LIMITS)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd.txt", "passwd.txt"),
        ("C:\\Users\\yang\\合同.pdf", "合同.pdf"),
        ("/absolute/plan.docx", "plan.docx"),
        ("a\r\nSet-Cookie: x.pdf", "a Set-Cookie_ x.pdf"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("zero\u200bwidth\x00.pdf", "zerowidth.pdf"),
        ("  two   spaces .pdf", "two spaces.pdf"),
        ('we<i>rd"|?*.pdf', "we_i_rd____.pdf"),
        ("...", ""),
        ("\u202e", ""),
        ("", ""),
        ("CON.pdf", "_CON.pdf"),
        (".htaccess", "htaccess"),
        ("e\u0301.pdf", "\u00e9.pdf"),
        ("lone\ud800.pdf", "lone.pdf"),
    ],
)
def test_n11_a_name_is_kept_without_path_and_tricks(sent: str, kept: str) -> None:
    assert clean_name(sent) == kept


def test_n11_a_long_name_keeps_its_ending() -> None:
    assert clean_name("长" * 300 + ".pdf").endswith("长.pdf")
    assert len(clean_name("x" * 300 + ".pdf")) == LONGEST_NAME


@given(st.text(max_size=400))
def test_n11_whatever_is_sent_as_a_name_what_is_kept_is_harmless(sent: str) -> None:
    kept = clean_name(sent)
    assert len(kept) <= LONGEST_NAME
    assert len(kept.encode()) <= MOST_BYTES_OF_NAME
    assert not set(kept) & set('/\\<>:"|?*\r\n\t')
    assert all(unicodedata.category(character)[0] != "C" for character in kept)
    assert kept == clean_name(kept)


def test_n11_a_document_belongs_to_a_part_of_its_subject_and_says_which_where_there_are_several() -> None:
    assert set().union(*PARTS.values()) == set(DocumentPart)
    assert is_target_of(Target(part=DocumentPart.ACCOUNT_PLAN), SubjectType.APPLICATION)
    assert not is_target_of(Target(part=DocumentPart.ACCOUNT_PLAN), SubjectType.PROJECT)
    assert is_target_of(Target(part=DocumentPart.UPDATE, about="3"), SubjectType.PROJECT)
    assert not is_target_of(Target(part=DocumentPart.UPDATE), SubjectType.PROJECT)
    assert not is_target_of(Target(part=DocumentPart.PROJECT, about="3"), SubjectType.PROJECT)
    assert not is_target_of(Target(part=DocumentPart.PROJECT), SubjectType.REVIEW)
