"""The demo chapter on names: conflicts with customers registered under other names (N3, N14)."""

from __future__ import annotations

from typing import Any

from embedded.demo.tale import CLERK, SECOND_CLERK, Case, Tale

PETROLEUM, ABBREVIATION = "中国石油天然气集团有限公司", "中石油"
ONE_BANK, OTHER_BANK = "北京银行股份有限公司", "南京银行股份有限公司"


def who_else_is_registered(tale: Tale) -> None:
    """N3, N14, A5: an abbreviation of a registered customer is stopped for a look, a stranger's near name is not."""
    registered = Case(tale, "he.xin", PETROLEUM, quiet=True)
    tale.act("names.before", person=tale.names["he.xin"], customer=PETROLEUM)
    registered.submit()
    registered.commerce()
    registered.both_approve()
    registered.reaches("active")
    case = Case(tale, "luo.dan", ABBREVIATION)
    case.submit()
    case.mails(task=(CLERK, SECOND_CLERK), submitted=("luo.dan",))
    found = _registered_for(case, registered)
    tale.holds(found, "names.found", customer=PETROLEUM, level=found.get("level_label", ""))
    sentences = found.get("because", [])
    for sentence in sentences:
        tale.note(f"  {sentence}")
    page = case.link(CLERK).open().words
    shown = PETROLEUM in page and all(sentence in page for sentence in sentences)
    tale.holds(sentences and shown, "names.page", person=tale.names[CLERK])
    case.commerce("return", tale.words("names.which"))
    case.mails(task=("luo.dan",))
    tale.act("names.banks", one=ONE_BANK, other=OTHER_BANK)
    bank = Case(tale, "wu.qiang", ONE_BANK)
    bank.submit()
    bank.mails(submitted=("wu.qiang",), task=(CLERK, SECOND_CLERK))
    other = Case(tale, "emily.clark", OTHER_BANK)
    told = other.submit()
    other.mails(submitted=("emily.clark",), task=(CLERK, SECOND_CLERK))
    tale.holds(not told["conflicts"] and not _registered_for(other, bank), "names.pass")


def _registered_for(case: Case, earlier: Case) -> dict[str, Any]:
    """The finding on `earlier` that commerce sees for `case`; empty if there is none."""
    findings = [finding for item in case.seen(CLERK)["evidence"] for finding in item["findings"]]
    return next((finding for finding in findings if finding["subject_id"] == earlier.id), {})
