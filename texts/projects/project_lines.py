"""A project in mails and pages: a summary of the registration, and what else is registered (A5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from domain.conflicts.project_match import Match
from domain.conflicts.rulings import Compared
from domain.disputes.credit import Credit, percent_of
from domain.disputes.split import Share
from domain.organisation import Organisation
from domain.projects.project import ProjectForm
from domain.projects.silence import SilenceDue
from texts.accounts.named_evidence import with_name
from texts.catalogue import Texts
from texts.conflicts.verdicts import match_sentence
from texts.view_lines import Essential


class LastUpdate(Protocol):
    """The contents of a weekly update (U1)."""

    @property
    def progress(self) -> str: ...
    @property
    def problems(self) -> str: ...
    @property
    def next_steps(self) -> str: ...


class MatchLine(Compared):
    """One registration that may conflict with the project. A ruling on it has its author's name, not the id."""

    subject_type: str
    name: str
    salesperson_name: str
    status: str
    since: datetime
    earlier: bool
    live: bool
    amount: Decimal | None = None
    vendor_registered: bool | None = None
    vendor_position: str = ""
    named_since: datetime | None = None
    relationship: str = ""
    own: bool = False
    """Whether this is the registration under review, listed beside its matches."""

    def title(self, texts: Texts) -> str:
        return texts.text(f"finding.{self.subject_type}")

    def state(self, texts: Texts) -> str:
        """Its status in words; an active account reads differently from an active project."""
        known = (f"{where}.{self.status}" for where in (f"{self.subject_type}_value", "detail_value", "stage"))
        return next((texts.text(key) for key in known if texts.has(key)), self.status)

    def sentence(self, texts: Texts, zone: ZoneInfo) -> str:
        """Who registered what and when, and why it matches."""
        parts = [
            self.name,
            self.salesperson_name,
            self.state(texts),
            texts.text(
                "project_page.in_force" if self.subject_type == "account" else "project_page.since",
                at=texts.moment(self.since, zone),
            ),
            texts.text("project_page.named_since", at=texts.moment(self.named_since, zone)) if self.named_since else "",
            match_sentence(self, texts, zone),
        ]
        if self.own:
            parts.insert(0, texts.text("project_page.this_one"))
        if self.amount is not None:
            parts.insert(parts.index(self.salesperson_name) + 1, texts.money(self.amount))
        return " · ".join(part for part in parts if part)

    def of_vendor(self, texts: Texts) -> str:
        """A5: whether it is registered with the vendor, and the vendor's position; empty when unknown."""
        registered = "" if self.vendor_registered is None else texts.text(_vendor_key(self.vendor_registered))
        return " · ".join(part for part in (registered, self.vendor_position) if part)

    def weighed(self, texts: Texts) -> str:
        """A5: the vendor's position and the familiarity with the customer, where known."""
        colon = "：" if texts.language == "zh" else ": "
        parts = []
        if vendor := self.of_vendor(texts):
            parts.append(f"{texts.text('project_page.weigh_vendor')}{colon}{vendor[:300].rstrip('。.；; ')}")
        if self.relationship:
            parts.append(f"{texts.text('project_page.weigh_relationship')}{colon}{self.relationship[:200]}")
        return ("；" if texts.language == "zh" else "; ").join(parts)


def match_lines(matches: Sequence[Match], organisation: Organisation) -> tuple[MatchLine, ...]:
    """The matches with names, the earliest first (A5)."""
    return tuple(
        MatchLine(
            salesperson_name=organisation.name_of(match.salesperson),
            **match.model_dump(include=set(MatchLine.model_fields) - {"salesperson_name", "links", "ruled", "own"}),
            ruled=with_name(match.ruled, organisation),
        )
        for match in sorted(matches, key=lambda match: match.since)
    )


def own_line(
    form: ProjectForm, organisation: Organisation, *, salesperson: str, status: str, since: datetime, **more: Any
) -> MatchLine:
    """A5: the registration itself, to be weighed against its matches. `more`: other fields of `MatchLine`."""
    return MatchLine(
        subject_type="project",
        name=form.name,
        salesperson_name=organisation.name_of(salesperson),
        status=status,
        since=since,
        earlier=False,
        amount=form.amount,
        vendor_registered=form.vendor_registered,
        vendor_position=form.vendor_position,
        relationship=form.relationship,
        own=True,
        **more,
    )


def project_essentials(form: ProjectForm) -> tuple[Essential, ...]:
    """What an approver needs first, including the vendor's position and familiarity of A5."""
    label = "field.project."
    lines = [
        Essential(label_key=f"{label}amount", value=str(form.amount), money=True),
        Essential(label_key=f"{label}gross_margin", value=str(form.gross_margin), money=True),
        Essential(label_key=f"{label}products", value="、".join(form.products)),
        Essential(label_key=f"{label}stage", value=f"sales_stage.{form.stage}", words=True),
        Essential(label_key=f"{label}expected_signing", value=form.expected_signing.isoformat(), day=True),
        Essential(label_key=f"{label}vendor", value=form.vendor),
        Essential(label_key="project_page.vendor_label", value=_vendor_key(form.vendor_registered), words=True),
        Essential(label_key=f"{label}vendor_position", value=form.vendor_position[:300]),
        Essential(label_key=f"{label}relationship", value=form.relationship[:300]),
    ]
    if form.end_user:
        lines.insert(0, Essential(label_key="field.project.end_user._title", value=form.end_user.name))
    if form.channel:
        lines.insert(0, Essential(label_key="field.project.channel._title", value=form.channel.name))
    return tuple(line for line in lines if line.value)


def contract_lines(contract: Mapping[str, Any]) -> tuple[Essential, ...]:
    """U7: the contract as commerce received it; after a correction, also the amount before it."""
    corrections = contract.get("corrections") or [{}]
    lines = (
        Essential(label_key="contract_label.contract_number", value=contract.get("contract_number") or ""),
        Essential(label_key="contract_label.amount", value=contract.get("amount") or "", money=True),
        Essential(
            label_key="contract_label.amount_before", value=corrections[-1].get("amount_before") or "", money=True
        ),
        Essential(label_key="contract_label.signed_on", value=contract.get("signed_on") or "", day=True),
        Essential(label_key="contract_label.received_on", value=contract.get("received_on") or "", day=True),
    )
    return tuple(line for line in lines if line.value)


def loss_lines(loss: Mapping[str, Any]) -> tuple[Essential, ...]:
    """U8: the winning competitor, or that none was named."""
    competitor = str(loss.get("competitor") or "")
    value = competitor[:300] or "project_page.competitor_not_named"
    return (Essential(label_key="field.project.competitor", value=value, words=not competitor),)


def silence_lines(last: LastUpdate | None, ahead: Sequence[SilenceDue], zone: ZoneInfo) -> tuple[Essential, ...]:
    """U2–U4: the last update, and what follows without another one, with dates in `zone`, the company's."""
    if last is None:
        latest = [Essential(label_key="silence_label.last_progress", value="silence_label.never", words=True)]
    else:
        latest = [
            Essential(label_key="silence_label.last_progress", value=last.progress[:300]),
            Essential(label_key="silence_label.last_problems", value=last.problems[:300]),
            Essential(label_key="silence_label.last_next_steps", value=last.next_steps[:300]),
        ]
    follows = [
        Essential(
            label_key=f"silence_ahead.{due.silence.value}",
            value=due.at.astimezone(zone).date().isoformat(),
            day=True,
        )
        for due in ahead
    ]
    return tuple(line for line in (*latest, *follows) if line.value)


def split_words(split: Sequence[Share] | Sequence[dict[str, Any]], organisation: Organisation) -> str:
    """D3: 张三 60% · 李四 40%."""
    shares = [share if isinstance(share, Share) else Share.model_validate(share) for share in split]
    return " · ".join(f"{organisation.name_of(share.person)} {share.percent.normalize():f}%" for share in shares)


def credit_lines(credits: Sequence[Credit], responsible: str) -> tuple[Essential, ...]:
    """D3: 张三 60% ¥600,000.00 · 李四 40% ¥400,000.00; empty when the responsible salesperson has all of it."""
    if all(credit.person == responsible for credit in credits):
        return ()
    texts = Texts("zh")  # names and amounts, which are written the same in every language
    words = [f"{credit.name} {percent_of(credit)} {texts.money(credit.amount)}" for credit in credits]
    return (Essential(label_key="mail.label.credits", value=" · ".join(words)),)


def _vendor_key(registered: bool) -> str:
    return "project_page.vendor_registered" if registered else "project_page.vendor_not_registered"
