"""Lines at the top of a page: its subject, and who is asked."""

from __future__ import annotations

from domain.subject import SubjectType
from domain.tasks.task import AssigneeCapacity
from texts.catalogue import Texts
from texts.reviews.review_lines import review_title
from web.models import AboutSubject
from web.tasks.models import AskingPage


def subject_line(page: AboutSubject, texts: Texts) -> str:
    """The subject: by number, a project also by name, a review by period and unit."""
    number = page.number or page.subject_id
    if page.subject_type is SubjectType.REVIEW:
        return review_title(page.period, page.unit_name, texts) if page.period else number
    if page.subject_type is SubjectType.PROJECT:
        return texts.text("page.project_registration", number=number, project=page.project_name) if number else ""
    return texts.text("page.application", number=number) if number else ""


def who_is_asked(page: AskingPage, texts: Texts) -> str:
    """Who is asked, and in which capacity."""
    if page.on_behalf_of_name is None or page.capacity is AssigneeCapacity.HOLDER:
        key = f"page.asked_for.{page.kind}"
        return texts.text(key if texts.has(key) else "page.asked", person=page.asked_name)
    return texts.text(f"page.asked_{page.capacity}", person=page.asked_name, on_behalf_of=page.on_behalf_of_name)
