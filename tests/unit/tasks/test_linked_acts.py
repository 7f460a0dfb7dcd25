"""Which notice expects what of whom: N10, P8, U1, U6 and U7 of the salesperson, D2 of whoever may step in."""

from __future__ import annotations

import pytest

from domain.notices import LinkedAct, Notice, linked_act
from tests.samples import SAM, SUE, VERA, two_departments

ORGANISATION = two_departments()

OWN = {
    Notice.REJECTED: LinkedAct.APPEAL,
    Notice.CONFLICT_REFUSED: LinkedAct.OBJECT,
    Notice.SILENT_TWO_WEEKS: LinkedAct.UPDATE,
    Notice.SILENT_ONE_MONTH: LinkedAct.UPDATE,
    Notice.CONTRACT_SENT_BACK: LinkedAct.CONTRACT,
    Notice.SHELVED: LinkedAct.RESUME,
    Notice.SHELVED_STANDING: LinkedAct.RESUME,
}
STEPPING_IN = {Notice.REGISTERED_UNDER_ACCOUNT, Notice.AGREED}


@pytest.mark.parametrize("notice", Notice)
def test_n10_p8_u1_u6_u7_d2_a_notice_links_to_what_its_reader_may_do(notice: Notice) -> None:
    mine, colleague, vp = (ORGANISATION.by_id[person] for person in (SAM, SUE, VERA))
    assert linked_act(notice, mine, owner=SAM, appealable=True) is OWN.get(notice)
    assert linked_act(notice, colleague, owner=SAM, appealable=True) is None
    expected = LinkedAct.MEETING if notice in STEPPING_IN else None
    assert linked_act(notice, vp, owner=SAM, appealable=True) is expected


def test_n10_a_final_rejection_links_to_no_appeal() -> None:
    assert linked_act(Notice.REJECTED, ORGANISATION.by_id[SAM], owner=SAM, appealable=False) is None
