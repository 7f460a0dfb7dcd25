"""The deciding lines: what somebody who is asked must know before anything else (N8–N10, N12, N14, P1–P5).

Pages and mails show the same lines. `DecidingFacts` holds names instead of ids and can be stored with a mail;
`deciding_lines` puts it into words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import JsonValue

from domain.accounts.application import ApplicationForm
from domain.accounts.evidence import Evidence, EvidenceKind
from domain.accounts.named_account import above_limit
from domain.base import Frozen, Moment, Wire
from domain.conflicts.project_match import Match
from domain.organisation import Organisation, Role
from domain.policy import Policy
from domain.projects.project import ProjectForm
from domain.tasks.deadlines import stand_in_due
from domain.tasks.form_changes import FormChange, form_changes
from domain.tasks.task import AnswerChoice, TaskKind
from texts.catalogue import Texts
from texts.tasks.changes import changed_lines
from texts.view_lines import DecisionLine

Tone = Literal["bad", "good", "plain"]
MOST_CLAIMS: Final = 3
"""How many claims are named; the rest are counted."""
MOST_CHANGES: Final = 4
_COLLIDING: Final = frozenset({EvidenceKind.ACCOUNTS, EvidenceKind.APPLICATIONS})
_WEIGHS: Final = frozenset({TaskKind.COMMERCE_CHECK, TaskKind.VP_REVIEW, TaskKind.GM_APPROVAL, TaskKind.GM_APPEAL})
"""Tasks whose assignees weigh an application."""
WEIGHS_FORM: Final = frozenset({TaskKind.PROJECT_APPROVAL, TaskKind.CONFLICT_CHECK, TaskKind.CONFLICT_CONFIRMATION})
"""Tasks whose assignees decide on the form of a project, rather than on a dispute or a later stage."""
_ACTS: Final = frozenset(
    {TaskKind.ASSIGN_CLERK, TaskKind.CALL_MEETING, TaskKind.RECORD_MEETING, TaskKind.CONTRACT_REVIEW}
)
"""Tasks in which something is done rather than decided."""
_LIMIT_TEXTS: Final = {
    TaskKind.VP_REVIEW: "deciding.above_limit_vp",
    TaskKind.GM_APPROVAL: "deciding.above_limit_gm",
    TaskKind.GM_APPEAL: "deciding.above_limit_gm",
}


class Claim(Wire):
    """A registration that stands in the way, or the applicant's own (N14, P1, P3)."""

    subject_type: str
    name: str
    """The customer's name, or that of the project."""
    salesperson_name: str = ""
    since: Moment | None = None
    own: bool = False
    in_doubt: bool = False
    """N14: the same name with two valid codes, until commerce says which one is right."""


class Said(Wire):
    """Who gave which reason."""

    person_name: str
    reason: str


class Comparison(Wire):
    """N5, P2: what was changed since the last round; no changes when the form was submitted as it was."""

    last_round: int
    changes: tuple[FormChange, ...] = ()


class TaskDeadline(Wire):
    """N12, U10: until when an answer is expected, and what follows without one."""

    due_at: Moment
    closes_at: Moment | None = None
    """U10: when the subject is shelved or closed."""
    stand_in: Role | None = None
    """Who is asked in the assignee's place at `due_at`."""
    stood_in: bool = False
    """Whether they are asked already."""

    @classmethod
    def of(
        cls, kind: TaskKind, policy: Policy, *, chased: int, due_at: Moment, closes_at: Moment | None = None
    ) -> Self:
        """`chased`: how many due steps have happened to the task."""
        deadline = policy.deadlines.get(kind)
        stand_in = deadline.stand_in if deadline and deadline.stand_in_after is not None else None
        stood_in = stand_in is not None and stand_in_due(kind, chased, policy)
        return cls(due_at=due_at, closes_at=closes_at, stand_in=stand_in, stood_in=stood_in)


class Negotiation(Wire):
    """D1: with whom a salesperson is to agree, and what is proposed."""

    other_side: tuple[str, ...] = ()
    """Names, with departments."""
    proposed_by: str = ""
    """Who made the current proposal; empty while there is none."""
    responsible: str = ""
    split: str = ""
    """Names with percentages: 杨帆 70% · 徐静 30%."""

    @classmethod
    def of(cls, note: Mapping[str, JsonValue], other_side: Sequence[str]) -> Self:
        """From the note of an `agree_split` task."""
        proposal = note.get("proposal")
        if not isinstance(proposal, dict):
            return cls(other_side=tuple(other_side))
        shares = proposal.get("split")
        named = [share for share in shares if isinstance(share, dict)] if isinstance(shares, list) else []
        return cls(
            other_side=tuple(other_side),
            proposed_by=_name(proposal.get("by")),
            responsible=_name(proposal.get("responsible")),
            split=" · ".join(f"{share.get('name', '')} {share.get('percent', '')}%" for share in named),
        )


class DecidingFacts(Wire):
    """Everything that the deciding lines of one task say."""

    kind: TaskKind
    of_project: bool = False
    claims: tuple[Claim, ...] = ()
    accounts_after: int | None = None
    """N8: how many accounts the applicant would hold, if that is more than `account_limit`."""
    account_limit: int = 0
    special_reasons: tuple[Said, ...] = ()
    """N8: of the VPs who approve, for the general manager."""
    rejections: tuple[Said, ...] = ()
    """N9, N10, P7: what the appeal or objection is against."""
    appeal: str = ""
    """N10, P8: its reason."""
    compared: Comparison | None = None
    """None in the first round."""
    negotiation: Negotiation | None = None
    deadline: TaskDeadline | None = None

    @property
    def conflict(self) -> bool:
        """Whether a registration stands in the way. A project under its salesperson's own account is none (P1)."""
        return any(not (claim.own and self.of_project) for claim in self.claims)


class DecidingLine(Frozen):
    """One deciding line: `bad` speaks against it, `good` for it."""

    text: str
    tone: Tone = "plain"


def application_facts(
    kind: TaskKind,
    form: ApplicationForm,
    before: ApplicationForm | None,
    *,
    round: int,
    applicant: str,
    evidence: Sequence[Evidence],
    organisation: Organisation,
    held: int,
    limit: int,
    decisions: Sequence[DecisionLine] = (),
    appeal: str = "",
    deadline: TaskDeadline | None = None,
) -> DecidingFacts:
    """What decides on an application.

    Args:
        before: the form of the last round; None in the first.
        evidence: as stored, with ids.
        held: how many accounts the applicant holds now.
        decisions: those taken so far.
        appeal: the reason of the appeal (N10).
    """
    if kind not in _WEIGHS:
        return DecidingFacts(kind=kind, deadline=deadline)
    approvals = [line for line in decisions if line.special_reason and line.choice == AnswerChoice.APPROVE]
    rejections = [line for line in decisions if line.choice == AnswerChoice.REJECT]
    return DecidingFacts(
        kind=kind,
        claims=_claims_in(evidence, applicant, organisation),
        accounts_after=held + 1 if above_limit(held, limit) else None,
        account_limit=limit,
        special_reasons=_reasons(approvals) if kind is TaskKind.GM_APPROVAL else (),
        rejections=_reasons(rejections) if kind is TaskKind.GM_APPEAL else (),
        appeal=appeal,
        compared=_compared(form, before, round),
        deadline=deadline,
    )


def project_facts(
    kind: TaskKind,
    form: ProjectForm,
    before: ProjectForm | None,
    *,
    round: int,
    salesperson: str,
    matches: Sequence[Match],
    organisation: Organisation,
    suspects: Sequence[str] = (),
    decisions: Sequence[DecisionLine] = (),
    objection: str = "",
    negotiation: Negotiation | None = None,
    deadline: TaskDeadline | None = None,
) -> DecidingFacts:
    """What decides on a registration.

    Args:
        before: the form of the last round; None in the first.
        matches: those that the reader may see (X2).
        suspects: the registrations that a clerk has named, by id (P5).
        decisions: those taken so far.
        objection: the reason of the objection (P8).
    """
    claims = [
        Claim(
            subject_type=match.subject_type,
            name=match.name,
            salesperson_name=organisation.name_of(match.salesperson),
            since=match.since,
            own=match.salesperson == salesperson,
            in_doubt=match.code_in_doubt,
        )
        for match in sorted(matches, key=lambda match: match.since)
        if match.to_be_weighed(salesperson, suspects)
    ]
    if any(claim.own for claim in claims):  # P1: whoever applies for one's own account stands in no project's way
        claims = [claim for claim in claims if claim.subject_type != "application"]
    return DecidingFacts(
        kind=kind,
        of_project=True,
        claims=tuple(claims),
        rejections=_reasons([line for line in decisions if line.choice == AnswerChoice.CONFLICT]) if objection else (),
        appeal=objection,
        compared=_compared(form, before, round),
        negotiation=negotiation,
        deadline=deadline,
    )


def deciding_lines(facts: DecidingFacts, texts: Texts, zone: ZoneInfo) -> tuple[DecidingLine, ...]:
    """The lines in the reader's language, what weighs most first. Moments are shown in `zone`."""
    lines = [_claim_line(claim, facts, texts, zone) for claim in facts.claims[:MOST_CLAIMS]]
    if (more := len(facts.claims) - MOST_CLAIMS) > 0:
        lines.append(DecidingLine(text=texts.text("deciding.more_claims", count=more), tone="bad"))
    if facts.accounts_after is not None:
        key = _LIMIT_TEXTS.get(facts.kind, "deciding.above_limit")
        words = texts.text(key, after=facts.accounts_after, most=facts.account_limit)
        lines.append(DecidingLine(text=words, tone="bad"))
    rejected = "deciding.refused" if facts.of_project else "deciding.rejected"
    for key, said in (("deciding.special_reason", facts.special_reasons), (rejected, facts.rejections)):
        lines += [
            DecidingLine(text=texts.text(key, person=words.person_name, reason=words.reason.strip())) for words in said
        ]
    if facts.appeal.strip():
        key = "deciding.objection" if facts.of_project else "deciding.appeal"
        lines.append(DecidingLine(text=texts.text(key, reason=facts.appeal.strip())))
    if facts.negotiation:
        lines += _negotiation_lines(facts.negotiation, texts)
    if facts.compared:
        lines.append(_comparison_line(facts.compared, texts, of_project=facts.of_project))
    if facts.deadline and (words := _deadline_words(facts, facts.deadline, texts, zone)):
        lines.append(DecidingLine(text=words))
    return tuple(lines)


def _claims_in(evidence: Sequence[Evidence], applicant: str, organisation: Organisation) -> tuple[Claim, ...]:
    """N3, N14: what collides with an application; the applicant's own account is named as theirs."""
    found = [finding for item in evidence if item.kind in _COLLIDING for finding in item.findings if finding.conflict]
    return tuple(
        Claim(
            subject_type=finding.subject_type,
            name=finding.name,
            salesperson_name=organisation.name_of(person) if (person := finding.detail.get("salesperson")) else "",
            since=finding.since,
            own=person == applicant,
            in_doubt=finding.code_in_doubt,
        )
        for finding in sorted(found, key=lambda finding: (finding.subject_type, finding.earlier is False))
    )


def _reasons(lines: Sequence[DecisionLine]) -> tuple[Said, ...]:
    return tuple(Said(person_name=line.person_name, reason=line.reason) for line in lines if line.reason.strip())


def _compared(
    form: ApplicationForm | ProjectForm, before: ApplicationForm | ProjectForm | None, round: int
) -> Comparison | None:
    return Comparison(last_round=round - 1, changes=form_changes(before, form)) if before is not None else None


def _claim_line(claim: Claim, facts: DecidingFacts, texts: Texts, zone: ZoneInfo) -> DecidingLine:
    of_account = claim.subject_type == "account"
    if claim.own and of_account:
        key = "deciding.own_account_of_project" if facts.of_project else "deciding.own_account"
    elif claim.in_doubt:
        key = "deciding.code_in_doubt"
    elif of_account:
        key = "deciding.account_of_project" if facts.of_project else "deciding.account"
    else:
        key = "deciding.application" if claim.subject_type == "application" else "deciding.project"
    words = texts.text(
        key,
        name=claim.name,
        person=claim.salesperson_name or texts.text("page.somebody"),
        since=texts.day(claim.since, zone) if claim.since else texts.text("page.not_given"),
    )
    return DecidingLine(text=words, tone="good" if claim.own and facts.of_project else "bad")


def _negotiation_lines(negotiation: Negotiation, texts: Texts) -> list[DecidingLine]:
    lines = []
    if negotiation.other_side:
        people = texts.join(negotiation.other_side)
        lines.append(DecidingLine(text=texts.text("deciding.other_side", people=people)))
    if negotiation.proposed_by:
        facts = {"person": negotiation.proposed_by, "responsible": negotiation.responsible, "split": negotiation.split}
        lines.append(DecidingLine(text=texts.text("deciding.proposal", **facts)))
    else:
        lines.append(DecidingLine(text=texts.text("deciding.no_proposal")))
    return lines


def _name(person: JsonValue) -> str:
    return str(person.get("name", "")) if isinstance(person, dict) else ""


def _comparison_line(compared: Comparison, texts: Texts, *, of_project: bool) -> DecidingLine:
    if not compared.changes:
        return DecidingLine(text=texts.text("deciding.unchanged", round=compared.last_round), tone="bad")
    lines = changed_lines(compared.changes, texts, of_project=of_project)
    shown = [line.in_short(texts) for line in lines[:MOST_CHANGES]]
    fields = ("；" if texts.language == "zh" else "; ").join([*shown, *(["…"] if len(lines) > MOST_CHANGES else [])])
    return DecidingLine(text=texts.text("deciding.changed", round=compared.last_round, count=len(lines), fields=fields))


def _deadline_words(facts: DecidingFacts, deadline: TaskDeadline, texts: Texts, zone: ZoneInfo) -> str:
    if deadline.stand_in:
        acts = facts.kind in _ACTS
        if deadline.stood_in:
            key = "deciding.stood_in_to_act" if acts else "deciding.stood_in"
        else:
            key = "deciding.stand_in_to_act" if acts else "deciding.stand_in"
        role = texts.text(f"role.{deadline.stand_in}")
        return texts.text(key, due=texts.moment(deadline.due_at, zone), role=role)
    if deadline.closes_at:
        key = "deciding.shelved" if facts.of_project else "deciding.closed"
        return texts.text(key, until=texts.moment(deadline.closes_at, zone))
    return ""
