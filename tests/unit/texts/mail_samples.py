"""One mail, its facts, and how it is received."""

from datetime import UTC, datetime

from domain.notices import Notice
from domain.tasks.task import TaskKind
from texts.mails.facts import MailFacts

NOON = datetime(2026, 12, 14, 4, 0, tzinfo=UTC)
LINK = "https://oa.example.cn/d/abcDEF-123"


def facts(kind: Notice = Notice.TASK, **changes: object) -> MailFacts:
    given = {
        "kind": kind,
        "to_name": "李强",
        "subject_id": "NA-17",
        "customer_name": "华东精密",
        "applicant_name": "张伟",
        "task_kind": TaskKind.VP_REVIEW,
        "due_at": NOON,
        "link": LINK,
    }
    return MailFacts.model_validate({**given, **changes})
