"""The set-up scripts of the production shape, run against a real database and a real engine."""

import asyncio
import os
import secrets
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from db.connection.migrate import upgrade
from embedded.processes.ports import HOST, free_row
from embedded.servers.postgres import PostgresServer, binaries
from workflows.messages import SEARCH_ATTRIBUTES

DEPLOY = Path(__file__).parents[3] / "deploy"
OURS, ENGINES = secrets.token_hex(16), secrets.token_hex(15) + "'"


class BareServer(PostgresServer):
    """As the official image starts: a superuser and nothing of ours."""

    async def settle(self) -> None:
        pass


async def run(script: str, environment: dict[str, str], *programs: Path) -> tuple[int, str]:
    """Run a script of `deploy/` with `programs` found first; its exit code and what it said."""
    path = ":".join([*map(str, programs), os.environ["PATH"]])
    process = await asyncio.create_subprocess_exec(
        "sh",
        str(DEPLOY / script),
        env={"PATH": path, "HOME": "/nonexistent", **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode or 0, said.decode()


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[BareServer]:
    async with BareServer(
        tmp_path_factory.mktemp("deploy"),
        free_row(1),
        password=OURS,
        admin_password=secrets.token_hex(16),
        durable=False,
    ) as bare:
        environment = {
            "PGHOST": HOST,
            "PGPORT": str(bare.port),
            "PGPASSWORD": bare.admin_password,
            "POSTGRES_USER": "postgres",
            "DATABASE_PASSWORD": OURS,
            "ENGINE_DATABASE_PASSWORD": ENGINES,
        }
        code, said = await run("postgres/init.sh", environment, binaries())
        assert code == 0, said
        yield bare


async def connect(server: BareServer, user: str, password: str, database: str) -> asyncpg.Connection:
    return await asyncpg.connect(
        host=HOST, port=server.port, user=user, password=password, database=database, ssl=False, timeout=10
    )


async def test_our_role_can_make_our_tables(server: BareServer) -> None:
    await upgrade(f"postgresql+asyncpg://baobei:{OURS}@{HOST}:{server.port}/baobei")


@pytest.mark.parametrize("database", ["temporal", "temporal_visibility"])
async def test_the_engines_role_can_make_its_tables_and_the_extension_they_need(
    server: BareServer, database: str
) -> None:
    connection = await connect(server, "temporal", ENGINES, database)
    await connection.execute("CREATE EXTENSION IF NOT EXISTS btree_gin; CREATE TABLE schema_version (version text)")
    await connection.close()


@pytest.mark.parametrize(
    ("user", "password", "database"),
    [
        ("baobei", OURS, "temporal"),
        ("baobei", OURS, "temporal_visibility"),
        ("baobei", OURS, "postgres"),
        ("temporal", ENGINES, "baobei"),
        ("temporal", ENGINES, "postgres"),
    ],
    ids=lambda value: "secret" if value in (OURS, ENGINES) else value,
)
async def test_neither_role_can_enter_the_others_database(
    server: BareServer, user: str, password: str, database: str
) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await connect(server, user, password, database)


async def test_neither_role_rules_the_server(server: BareServer) -> None:
    connection = await connect(server, "baobei", OURS, "baobei")
    powers = await connection.fetch(
        "select rolname from pg_roles where rolname in ('baobei', 'temporal')"
        " and (rolsuper or rolcreatedb or rolcreaterole or rolbypassrls)"
    )
    await connection.close()
    assert powers == []


async def test_the_database_script_refuses_to_run_without_passwords() -> None:
    code, said = await run("postgres/init.sh", {"POSTGRES_USER": "postgres", "PGHOST": HOST}, binaries())
    assert code != 0
    assert "DATABASE_PASSWORD" in said


async def test_the_namespace_job_can_be_run_again() -> None:
    programs = Path(sys.executable).parent
    async with await WorkflowEnvironment.start_local(dev_server_existing_path=str(programs / "temporal")) as env:
        address = env.client.service_client.config.target_host
        environment = {"TEMPORAL_ADDRESS": address, "TEMPORAL_NAMESPACE": "approvals"}
        for _ in range(2):
            code, said = await run("temporal/namespace.sh", environment, programs)
            assert code == 0, said
        client = await Client.connect(address, namespace="approvals")
        described = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace="approvals"))
        assert described.config.workflow_execution_retention_ttl.seconds == 90 * 86400
        listed = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace="approvals")
        )
        wanted = {key.name: int(key.indexed_value_type) for key in SEARCH_ATTRIBUTES}
        assert wanted.items() <= dict(listed.custom_attributes).items()
