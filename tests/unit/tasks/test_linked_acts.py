"""Which notice expects what of whom: N10, P8, U1, U6 and U7 of the salesperson, D2 of whoever may step in."""

from __future__ import annotations

import pytest

from domain.notices import LinkedAct, Notice, linked_act

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
    assert linked_act(notice, yours=True, steps_in=False) is OWN.get(notice)
    assert linked_act(notice, yours=False, steps_in=False) is None
    expected = LinkedAct.MEETING if notice in STEPPING_IN else None
    assert linked_act(notice, yours=False, steps_in=True) is expected
