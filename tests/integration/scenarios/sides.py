"""The two places where a step is carried out: the record, and its double of the workflow tests.

Both have activities of the same names with the same messages. A scenario is told to one of them by `Side.run` and
shown to hold on both, so that what a workflow test sees in the double is what the record would have done.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.testing import ActivityEnvironment

from activities.steps import Step
from db.disputes import disputes
from db.disputes.disputes import DisputeRow
from db.projects import projects
from db.projects.projects import ProjectRow
from db.reference_data import import_organisation
from domain.organisation import Organisation
from domain.subject import Subject
from tests.integration.projects.project_ground import ProjectGround
from tests.integration.tasks.race_ground import Racer
from tests.samples import SAM, account_of, application_form, registration_of
from tests.workflow.doubles.fake_activities import FakeActivities, FakeSteps
from tests.workflow.doubles.fake_projects import FakeProjectActivities
from tests.workflow.doubles.fake_record import SEAL_KEYS, FakeRecord, ProjectRecord

NOW = datetime(2026, 7, 6, 2, 0, tzinfo=UTC)
"""Ten o'clock in Shanghai on a Monday, far from any festival."""


class Side(ABC):
    """Where steps are carried out, by people of the small company of the workflow tests."""

    async def run(self, name: str, step: Step, workflow_id: str) -> Any:
        """Carry out the activity `name`, as the engine calls it for this process."""
        environment = ActivityEnvironment()
        environment.info = dataclasses.replace(environment.info, workflow_id=workflow_id, activity_type=name)
        return await environment.run(self.activity(name), step)

    @abstractmethod
    def activity(self, name: str) -> Callable[..., Awaitable[Any]]: ...

    @abstractmethod
    async def employs(self, company: Organisation) -> None:
        """From now on the company is this one."""

    @abstractmethod
    async def holds(self, number: int) -> None:
        """N8: `sam` holds so many Named Accounts already."""

    @abstractmethod
    async def holds_customer(self, person: str, customer: str) -> None:
        """P1, P3: the customer is a Named Account of `person`."""

    @abstractmethod
    async def finds(self, person: str, project_id: str) -> None:
        """P5: conflict detection finds this registration, made by `person`, for every project here."""

    @abstractmethod
    async def stage(self, subject: Subject) -> str: ...

    @abstractmethod
    async def project(self, project_id: str) -> ProjectRow: ...

    @abstractmethod
    async def dispute(self, dispute_id: str) -> DisputeRow: ...

    @abstractmethod
    async def refusal(self, message_id: str) -> str:
        """The code under which a statement was refused; empty where it was not."""

    @abstractmethod
    async def is_whole(self) -> None:
        """What must be true of it after every scenario."""


class DoubleSide(Side):
    def __init__(self) -> None:
        self.record = FakeRecord()
        self.activities: FakeSteps = FakeActivities(self.record)

    def activity(self, name: str) -> Callable[..., Awaitable[Any]]:
        found: Callable[..., Awaitable[Any]] = getattr(self.activities, name)
        return found

    async def employs(self, company: Organisation) -> None:
        self.record.organisation = company

    async def holds(self, number: int) -> None:
        self.record.held = number

    async def holds_customer(self, person: str, customer: str) -> None:
        raise NotImplementedError("an application meets no account here")

    async def finds(self, person: str, project_id: str) -> None:
        raise NotImplementedError("an application meets no registration here")

    async def stage(self, subject: Subject) -> str:
        return str(self.record.rows[subject.id].stage)

    async def project(self, project_id: str) -> ProjectRow:
        found: ProjectRow = self.record.rows[project_id]
        return found

    async def dispute(self, dispute_id: str) -> DisputeRow:
        found: DisputeRow = self.record.rows[dispute_id]
        return found

    async def refusal(self, message_id: str) -> str:
        return dict(self.record.refused).get(message_id, "")

    async def is_whole(self) -> None:
        assert self.record.keys


class ProjectDoubleSide(DoubleSide):
    record: ProjectRecord

    def __init__(self) -> None:
        self.record = ProjectRecord()
        self.activities = FakeProjectActivities(self.record)

    async def holds_customer(self, person: str, customer: str) -> None:
        assert customer  # every project of the double is of one customer
        self.record.accounts += (account_of(person),)

    async def finds(self, person: str, project_id: str) -> None:
        self.record.registered += (registration_of(person, project_id),)


class RecordSide(Side):
    def __init__(self, engine: AsyncEngine) -> None:
        self.ground = ProjectGround(engine, SEAL_KEYS)

    def activity(self, name: str) -> Callable[..., Awaitable[Any]]:
        ground = self.ground
        for holder in (ground.account_steps, ground.project_steps, ground.records, ground.evidence, ground.chasing):
            if found := getattr(holder, name, None):
                activity: Callable[..., Awaitable[Any]] = found
                return activity
        raise LookupError(name)

    async def employs(self, company: Organisation) -> None:
        async with self.ground.engine.begin() as connection:
            await import_organisation(connection, company, now=NOW, by="test")
            await self.ground.facts.pin_policy(connection)

    async def holds(self, number: int) -> None:
        held = [
            Racer(id=f"held-{n}", applicant=SAM, form=application_form(f"已有大客户{n}"), submitted_at=NOW)
            for n in range(1, number + 1)
        ]
        await self.ground.register(held)
        await self.ground.hold(held, range(1, number + 1))

    async def holds_customer(self, person: str, customer: str) -> None:
        await self.ground.holds(f"NA-{person}", person, customer)

    async def finds(self, person: str, project_id: str) -> None:
        assert (await self.project(project_id)).salesperson == person  # that it is found is for the record to show

    async def stage(self, subject: Subject) -> str:
        ((stage,),) = await self.ground.rows(f"SELECT stage FROM {subject.type.value} WHERE id = :id", id=subject.id)
        return str(stage)

    async def project(self, project_id: str) -> ProjectRow:
        async with self.ground.engine.connect() as connection:
            found = await projects.find(connection, project_id)
        assert found is not None
        return found

    async def dispute(self, dispute_id: str) -> DisputeRow:
        async with self.ground.engine.connect() as connection:
            found = await disputes.find(connection, dispute_id)
        assert found is not None
        return found

    async def refusal(self, message_id: str) -> str:
        query = "SELECT result->>'code' FROM receipt WHERE message_id = :message AND NOT accepted"
        return "".join(str(code) for (code,) in await self.ground.rows(query, message=message_id))

    async def is_whole(self) -> None:
        await self.ground.record_holds()
