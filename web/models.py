"""What every page shows, as frozen values."""

from __future__ import annotations

from domain.base import Frozen, Moment
from domain.organisation import Language
from domain.reviews.periods import Period
from domain.subject import SubjectType
from texts.catalogue import DEFAULT_LANGUAGE


class FormError(Frozen):
    """An error in one input; `message` is in the reader's language."""

    field: str
    """The input's name: `choice`, `reason`, `confirm`, `note_credit`, `customer.contacts.0.name`, …"""
    message: str


class Remark(Frozen):
    """An earlier remark that the reader has to know."""

    text: str
    person_name: str = ""
    at: Moment | None = None


class PageView(Frozen):
    """What every page needs."""

    language: Language = DEFAULT_LANGUAGE
    path: str
    """The page's path, e.g. `/d/<token>`: target of its form and of its language links."""
    time_zone: str = "Asia/Shanghai"


class AboutSubject(PageView):
    """What every page about a task knows of its subject."""

    subject_type: SubjectType = SubjectType.APPLICATION
    subject_id: str = ""
    number: str = ""
    customer_name: str = ""
    project_name: str = ""
    period: Period | None = None
    """R1–R4: the period of a review."""
    unit_name: str = ""
    """R1–R4: whose review it is."""


class FormTarget(Frozen):
    """Where the form of a page is sent: a mail link, or the inbox of somebody who is signed in."""

    action: str
    """The address that the form is posted to."""
    hidden: tuple[tuple[str, str], ...] = ()
    """Names and values of its hidden fields, such as the CSRF token."""
    signed_in: bool = False
    """Whether the reader is known, and need not be asked to pass a link on."""


def link_target(page: PageView) -> FormTarget:
    """The target of a page behind a mail link: its own address, in the language that is shown."""
    return FormTarget(action=f"{page.path}?lang={page.language}")
