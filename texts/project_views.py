"""What mails and pages show of a project: the registration in brief, and what else is registered (A5)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from domain.organisation import Organisation
from domain.project import ProjectForm
from domain.project_match import Match
from domain.rulings import Compared
from domain.split import Share
from texts.catalogue import Texts
from texts.named_evidence import with_name
from texts.verdicts import match_sentence
from texts.views import Essential


class MatchLine(Compared):
    """One registration that the project may be in conflict with. What was said of it names the person."""

    subject_type: str
    name: str
    salesperson_name: str
    status: str
    since: datetime
    earlier: bool
    live: bool
    amount: Decimal | None = None
    vendor_registered: bool | None = None
    relationship: str = ""

    def title(self, texts: Texts) -> str:
        return texts.text(f"finding.{self.subject_type}")

    def state(self, texts: Texts) -> str:
        """Where it stands; an account is in force, a project is under way."""
        known = (f"{where}.{self.status}" for where in (f"{self.subject_type}_value", "detail_value", "stage"))
        return next((texts.text(key) for key in known if texts.has(key)), self.status)

    def sentence(self, texts: Texts, zone: ZoneInfo) -> str:
        """Who registered what and when, and why it is here."""
        parts = [
            self.name,
            self.salesperson_name,
            self.state(texts),
            texts.text(
                "project_page.in_force" if self.subject_type == "account" else "project_page.since",
                at=texts.moment(self.since, zone),
            ),
            match_sentence(self, texts, zone),
        ]
        if self.amount is not None:
            parts.insert(2, texts.money(self.amount, hint=True))
        return " · ".join(part for part in parts if part)

    def weighed(self, texts: Texts) -> str:
        """A5: the vendor's position and familiarity, where they are known."""
        parts = []
        if self.vendor_registered is not None:
            parts.append(texts.text(_vendor_key(self.vendor_registered)))
        if self.relationship:
            colon = "：" if texts.language == "zh" else ": "
            parts.append(f"{texts.text('project_page.weigh_relationship')}{colon}{self.relationship[:200]}")
        return ("；" if texts.language == "zh" else "; ").join(parts)


def match_lines(matches: Sequence[Match], organisation: Organisation) -> tuple[MatchLine, ...]:
    """The matches with names, the earliest first (A5)."""
    return tuple(
        MatchLine(
            salesperson_name=organisation.name_of(match.salesperson),
            **match.model_dump(include=set(MatchLine.model_fields) - {"salesperson_name", "links", "ruled"}),
            ruled=with_name(match.ruled, organisation),
        )
        for match in sorted(matches, key=lambda match: match.since)
    )


def project_essentials(form: ProjectForm) -> tuple[Essential, ...]:
    """What whoever decides wants to see first, A5's vendor position and familiarity among it."""
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


def split_words(split: Sequence[Share] | Sequence[dict[str, Any]], organisation: Organisation) -> str:
    """D3: 张三 60% · 李四 40%."""
    shares = [share if isinstance(share, Share) else Share.model_validate(share) for share in split]
    return " · ".join(f"{organisation.name_of(share.person)} {share.percent.normalize():f}%" for share in shares)


def _vendor_key(registered: bool) -> str:
    return "project_page.vendor_registered" if registered else "project_page.vendor_not_registered"
