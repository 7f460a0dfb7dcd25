"""What the page of a task about an application or a project shows, as frozen values."""

from __future__ import annotations

from pydantic import JsonValue

from domain.accounts.application import ApplicationForm
from domain.accounts.evidence import Evidence
from domain.base import Frozen, Moment
from domain.conflicts.unusual_names import UnusualName
from domain.projects.project import ProjectForm
from domain.tasks.task import AssigneeCapacity, Choice, TaskKind
from texts.projects.project_lines import MatchLine
from texts.tasks.deciding import DecidingFacts
from texts.view_lines import DecisionLine, EligibilityLine
from web.forms.fields import Offered
from web.models import AboutSubject, FormError, Remark


class Weighed(Frozen):
    """A5: a registration to weigh: time of registration, vendor position, relationship."""

    line: MatchLine
    subject_id: str = ""
    own: bool = False
    """Whether it is the registration to decide on."""
    suspected: bool = False
    """P5: named by the clerk."""
    of_salesperson: bool = False
    """Whether it is another registration of the same salesperson."""


class AskingPage(AboutSubject):
    """One open task, for one of its assignees."""

    kind: TaskKind
    asked_name: str
    capacity: AssigneeCapacity = AssigneeCapacity.HOLDER
    on_behalf_of_name: str | None = None
    opened_at: Moment
    due_at: Moment | None = None
    provisional: bool = False
    choices: tuple[Choice, ...]
    entered: dict[str, str] = {}
    """What the reader typed, when the page is shown again with errors."""
    errors: tuple[FormError, ...] = ()


class DecisionPage(AskingPage):
    """A task about an application or a project."""

    round: int
    applicant_name: str
    department_name: str = ""
    form: ApplicationForm | ProjectForm
    stage_label: str = ""
    offered: Offered = Offered()
    """The options of the controls."""
    weighed: tuple[Weighed, ...] = ()
    """A5, P4: the registration and everything registered for the same project, in order of registration."""
    weaker: int = 0
    """How many weaker matches the list omits."""
    unusual_names: tuple[UnusualName, ...] = ()
    """Names with invisible or confusable characters."""
    not_compared: tuple[str, ...] = ()
    """Companies of a project that were searched by exact name and code only."""
    note: dict[str, JsonValue] = {}
    """What the assignee has to know besides: a proposal, a meeting, precedents, …; with names."""
    evidence: tuple[Evidence, ...] = ()
    """Its `note_by` holds a name, not an id."""
    own_findings: tuple[str, ...] = ()
    """Ids of the findings that are the applicant's own registrations."""
    may_gather_again: bool = False
    """N15: whether the assignee may have it gathered again."""
    eligibility: tuple[EligibilityLine, ...] = ()
    decisions: tuple[DecisionLine, ...] = ()
    deciding: DecidingFacts | None = None
    """What the reader has to know before anything else."""
    accounts_held: int | None = None
    account_limit: int | None = None
    return_remark: Remark | None = None
    """Why commerce sent the application back (`supply_information`)."""
    reason_remark: Remark | None = None
    """Why a project is in its stage: an objection, a resumption, a suspicion, a call for the meeting."""
    unchanged: bool = False
    """N5, P2: whether to ask if the form is really to be submitted as it was."""
