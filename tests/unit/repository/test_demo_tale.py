"""What the demo shows of a mail, and that it says plainly what does not hold."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from embedded.demo.chapters import CHAPTERS, organisation_text
from embedded.demo.driver import Answer, ReceivedMail
from embedded.demo.tale import Tale, essence, shortened
from imports.organisation_file import read_organisation
from texts.catalogue import Texts, catalogue

LINK = "http://127.0.0.1:8700/d/5284472cf4257dcf96f88d57042ec3ad.Xz7WT5UYLIiiATExUXnnqoREQfNqy9aLdxFlDcCVGbw"


def test_a_link_is_shown_so_that_it_can_be_recognised_and_not_used() -> None:
    assert shortened(LINK) == "http://127.0.0.1:8700/d/5284…VGbw"


def test_of_a_mail_its_heading_first_line_due_date_reason_and_link_are_shown() -> None:
    text = (
        f"李明，您好：\r\n\r\n请您处理。\r\n详情\r\n\r\n客户：甲\r\n期限：周一\r\n\r\n理由：\r\n  > 因为\r\n\r\n{LINK}"
    )
    mail = ReceivedMail("主题", text, "<h1>请您处理</h1>", "<1@x>", (LINK,))
    assert essence(mail) == ["请您处理 · 请您处理。", "期限：周一", "理由：", "> 因为", f"→ {shortened(LINK)}"]


def test_failed_expectations_are_reported_and_counted() -> None:
    people = Answer(200, {}, b"[]")
    web = SimpleNamespace(request=lambda *_: people)
    lines: list[str] = []
    installation = cast(Any, SimpleNamespace(portal=None, mailbox=None, web=web))
    tale = Tale(installation, Texts("en"), lines.append)
    tale.holds(True, "account.once")
    tale.holds(False, "account.once")
    assert (tale.held, tale.failed) == (1, 1)
    assert lines[0].strip().startswith("✓ the page says")
    assert lines[1].strip().startswith("✗ FAILED: the page says")


def test_every_chapter_has_a_title() -> None:
    assert {f"demo.{key}.title" for key in CHAPTERS} <= set(catalogue())


def test_for_english_readers_everybody_in_the_sample_company_reads_english() -> None:
    """X4."""
    people = read_organisation(organisation_text("en")).people
    assert {person.language for person in people} == {"en"}
