"""Disputes and credits as response models (D1–D3)."""

from __future__ import annotations

from api.disputes.models import ClaimantView, DisputeView
from api.models import CreditView, PersonView
from api.tasks.wording import with_people
from api.views import Views
from db.disputes.disputes import DisputeRow
from domain.disputes.credit import Credit


def dispute_view(views: Views, row: DisputeRow) -> DisputeView:
    """A dispute with its claimants, and with the proposal, the meeting and the outcome so far."""
    later = {name: with_people(getattr(row, name), views.organisation) for name in ("meeting", "outcome")}
    proposal = {name: value for name, value in (row.proposal or {}).items() if name != "confirmed"}
    if row.proposal:  # who has confirmed it, not by which task
        proposal["confirmed"] = [views.person(person).model_dump() for person in row.proposal.get("confirmed", ())]
    return DisputeView(
        **row.model_dump(exclude={"project_id", "claimants", "proposal", "meeting", "outcome"}),
        stage_label=views.texts.text(f"dispute_stage.{row.stage}"),
        claimants=[
            ClaimantView(**claimant.model_dump(exclude={"person"}), person=views.person(claimant.person))
            for claimant in row.claimants
        ],
        proposal=with_people(proposal, views.organisation) or None,
        **later,
    )


def credit_view(credit: Credit) -> CreditView:
    """One person's credit (D3)."""
    person = PersonView(id=credit.person, name=credit.name)
    return CreditView(person=person, percent=credit.percent, amount=credit.amount)
