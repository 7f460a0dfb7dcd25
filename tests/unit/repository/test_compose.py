"""The production shape names only what exists, waits for what it needs, and gives no secret a default."""

import ast
import base64
import importlib.resources
import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from temporalio.envconfig import ClientConfigProfile

from runtime.settings import PREFIX, REQUIRED, Settings, load_settings, variable
from workflows.messages import SEARCH_ATTRIBUTES

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("migrate", "api", "worker")
ONE_SHOT = ("temporal-schema", "temporal-namespace", "migrate")
VARIABLE = re.compile(r"\$\{(?P<name>[A-Za-z_]+)(?P<rule>[^}]*)\}")
SECRET = re.compile(r"PASSWORD|PWD|SECRET|KEYS|TOKEN$")


def environments() -> Iterator[tuple[str, str, str | None]]:
    for service, body in SERVICES.items():
        for name, value in body.get("environment", {}).items():
            yield service, name, value


def filled(value: str, given: dict[str, str]) -> str:
    """`value` with its variables replaced as Compose does."""

    def fill(found: re.Match[str]) -> str:
        return given.get(found["name"]) or found["rule"].removeprefix(":-")

    return VARIABLE.sub(fill, value)


def test_the_file_follows_the_compose_specification() -> None:
    vendored = importlib.resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    schema = json.loads(vendored.read_text(encoding="utf-8"))
    validator = jsonschema.validators.validator_for(schema)
    validator.check_schema(schema)
    assert [error.message for error in validator(schema).iter_errors(COMPOSE)] == []


def test_every_part_of_production_is_there() -> None:
    parts = {
        "db",
        "temporal-schema",
        "temporal",
        "temporal-namespace",
        "temporal-ui",
        "mail",
        "migrate",
        "api",
        "worker",
    }
    assert set(SERVICES) == parts


def test_every_variable_of_ours_is_a_setting() -> None:
    known = {variable(field) for field in Settings.model_fields}
    for service, name, _ in environments():
        if name.startswith(PREFIX):
            assert service in OURS
            assert name in known
    for name in REQUIRED:
        for service in OURS:
            assert variable(name) in SERVICES[service]["environment"]


def test_every_variable_of_the_engines_client_is_one_it_reads() -> None:
    for service in OURS:
        named = {
            name: value for name, value in SERVICES[service]["environment"].items() if name.startswith("TEMPORAL_")
        }
        assert set(named) == {"TEMPORAL_ADDRESS", "TEMPORAL_NAMESPACE"}
        profile = ClientConfigProfile.load(disable_file=True, override_env_vars=named)
        assert profile.address == named["TEMPORAL_ADDRESS"]
        assert profile.namespace == named["TEMPORAL_NAMESPACE"]


@pytest.mark.parametrize("service", OURS)
def test_our_processes_start_with_these_settings(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    given = {found["name"]: "" for found in VARIABLE.finditer(TEXT)}
    for name in given:
        if name.endswith("_KEYS"):
            given[name] = f"k1:{base64.b64encode(secrets.token_bytes(32)).decode()}"
        elif name.endswith("PASSWORD"):
            given[name] = secrets.token_hex(16)
    given |= {
        "BAOBEI_PUBLIC_URL": "https://baobei.example.com",
        "BAOBEI_TEMPORAL_UI_URL": "https://engine.example.com",
        "BAOBEI_MAIL_FROM": "baobei@example.com",
        "BAOBEI_OIDC_ISSUER": "https://login.example.com",
        "BAOBEI_OIDC_AUDIENCE": "baobei",
        "BAOBEI_OIDC_JWKS_URL": "https://login.example.com/jwks",
    }
    for name, value in SERVICES[service]["environment"].items():
        if value is not None:
            monkeypatch.setenv(name, filled(value, given))
    settings = load_settings()
    assert not settings.embedded
    assert settings.smtp_host == "mail"
    assert given["DATABASE_PASSWORD"] in settings.database_url


def test_no_secret_has_a_default() -> None:
    for found in VARIABLE.finditer(TEXT):
        if SECRET.search(found["name"]):
            assert found["rule"] == ":?", found["name"]
    for service, name, value in environments():
        if SECRET.search(name) and name != "TEMPORAL_CODEC_PASS_ACCESS_TOKEN":
            assert value is None or VARIABLE.fullmatch(value), f"{service} {name}"
    assert "TEMPORAL_CODEC_PASS_ACCESS_TOKEN" in TEXT
    for name in REQUIRED:
        if name not in ("smtp_host", "database_url"):
            assert f"${{{variable(name)}:?}}" in TEXT
    assert not (ROOT / ".env").exists()


def test_every_file_that_is_mounted_exists() -> None:
    mounted = [volume for body in SERVICES.values() for volume in body.get("volumes", []) if volume.startswith(".")]
    assert len(mounted) == 4
    for volume in mounted:
        source, _, mode = volume.split(":")
        assert (ROOT / source).is_file(), source
        assert mode == "ro"
        if source.endswith(".sh"):
            assert os.access(ROOT / source, os.X_OK)
            subprocess.run(["sh", "-n", ROOT / source], check=True)


@pytest.mark.parametrize("service", OURS)
def test_every_command_exists(service: str) -> None:
    interpreter, script, *arguments = SERVICES[service]["command"]
    assert interpreter == "python"
    source = (ROOT / script).read_text(encoding="utf-8")
    assert any(isinstance(node, ast.If) and "__main__" in ast.unparse(node.test) for node in ast.parse(source).body)
    if arguments:
        command = [sys.executable, script, *arguments, "--help"]
        shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
        assert shown.returncode == 0, shown.stderr


def test_everything_waits_until_what_it_needs_is_ready() -> None:
    for service, body in SERVICES.items():
        for needed, how in body.get("depends_on", {}).items():
            if needed in ONE_SHOT:
                assert how["condition"] == "service_completed_successfully", (service, needed)
            else:
                assert how["condition"] == "service_healthy", (service, needed)
                assert "healthcheck" in SERVICES[needed]
    for service in ("api", "worker"):
        assert set(SERVICES[service]["depends_on"]) == {"migrate", "temporal-namespace"}
        assert "/readyz" in SERVICES[service]["healthcheck"]["test"][-1]
        assert "stop_grace_period" in SERVICES[service]
    for service, body in SERVICES.items():
        assert ("on-failure" in body["restart"]) is (service in ONE_SHOT)


def test_health_is_asked_where_the_process_listens() -> None:
    api, worker = SERVICES["api"], SERVICES["worker"]
    assert f":{api['environment']['BAOBEI_API_PORT']}/readyz" in api["healthcheck"]["test"][-1]
    assert f":{worker['environment']['BAOBEI_WORKER_HEALTH_PORT']}/readyz" in worker["healthcheck"]["test"][-1]


def test_every_address_of_a_container_is_listened_on_and_only_some_ports_are_published() -> None:
    """Otherwise nothing outside the container reaches `/metrics`."""
    assert SERVICES["api"]["environment"]["BAOBEI_API_HOST"] == "0.0.0.0"
    assert SERVICES["worker"]["environment"]["BAOBEI_WORKER_HEALTH_HOST"] == "0.0.0.0"
    assert "ports" not in SERVICES["worker"]


def test_the_engine_and_the_database_are_reached_by_nobody_outside() -> None:
    published = {service: body["ports"] for service, body in SERVICES.items() if "ports" in body}
    assert set(published) == {"api", "temporal-ui", "mail"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    assert COMPOSE["networks"]["record"] == {"internal": True}
    assert COMPOSE["networks"]["engine"] == {"internal": True}
    assert SERVICES["db"]["networks"] == ["record"]
    assert "edge" not in SERVICES["temporal"]["networks"]
    assert "record" not in SERVICES["temporal-ui"]["networks"]


def test_operators_have_a_read_only_ui() -> None:
    ui = SERVICES["temporal-ui"]["environment"]
    assert ui["TEMPORAL_DISABLE_WRITE_ACTIONS"] == "true"
    assert ui["TEMPORAL_AUTH_ENABLED"] == "true"
    assert ui["TEMPORAL_CODEC_ENDPOINT"].endswith("/codec")


def test_images_are_named_by_version() -> None:
    images = {service: body["image"] for service, body in SERVICES.items()}
    for service, image in images.items():
        if service in OURS:
            assert image.startswith("baobei:")
        else:
            assert re.search(r":v?\d+", image), image
    assert images["temporal"].endswith(":1.32.0")
    assert images["temporal-schema"] == images["temporal-namespace"] == "temporalio/admin-tools:1.32.0"


def test_the_namespace_job_registers_what_the_processes_use() -> None:
    script = (ROOT / "deploy/temporal/namespace.sh").read_text(encoding="utf-8")
    named = dict(re.findall(r"--name (\w+) --type (\w+)", script))
    kinds = {key.name: key.indexed_value_type.name.replace("_", "").lower() for key in SEARCH_ATTRIBUTES}
    assert {name: kind.lower() for name, kind in named.items()} == kinds


def test_the_image_runs_as_nobody_and_holds_only_what_is_locked() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    (user,) = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert user.partition(":")[0].isdigit()
    assert int(user.partition(":")[0]) > 0
    assert any("--require-hashes -r /tmp/requirements.lock" in line for line in lines)
    (command,) = [json.loads(line.removeprefix("CMD ")) for line in lines if line.startswith("CMD ")]
    assert command == SERVICES["api"]["command"]


def test_the_image_holds_every_room_and_nothing_else() -> None:
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert ignore[1] == "*"
    taken = {line[1:] for line in ignore if line.startswith("!")} - {"pyproject.toml", "requirements.lock"}
    hidden = {"tests", "docs"}
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")} - hidden
    modules = {path.name for path in ROOT.glob("*.py")}
    assert rooms | modules == taken


def test_the_example_names_every_variable_of_the_file_and_no_secret() -> None:
    """Copied to `.env`, it is complete: what must be given stands there, what may be left out stands in a comment."""
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    given = dict(re.findall(r"^([A-Z_]+)=(.*)$", example, re.MULTILINE))
    optional = dict(re.findall(r"^#([A-Z_]+)=(.*)$", example, re.MULTILINE))
    required = {found["name"] for found in VARIABLE.finditer(TEXT) if found["rule"] == ":?"}
    passed_on = {name for _, name, value in environments() if value is None}
    assert given.keys() == required
    assert optional.keys() == {found["name"] for found in VARIABLE.finditer(TEXT)} - required | passed_on
    assert not [name for name, value in (given | optional).items() if SECRET.search(name) and value]
    ours = {name for name in given | optional if name.startswith(PREFIX)}
    assert ours <= {variable(field) for field in Settings.model_fields} | {"BAOBEI_TAG"}
