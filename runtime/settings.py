"""The settings of an installation, read once from the environment.

The Temporal connection (address, namespace, TLS) is read from Temporal's own variables, see `temporal_client`.
"""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import unquote, urlsplit

from pydantic import BeforeValidator, Field, FilePath, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from crypto.keyring import Keyring
from domain.calendar import WorkCalendar
from domain.policy import DEFAULT_POLICY_FILE, load_policy

PREFIX = "BAOBEI_"
REQUIRED = (
    "database_url",
    "public_url",
    "smtp_host",
    "mail_from",
    "seal_keys",
    "link_keys",
    "payload_keys",
    "oidc_issuer",
    "oidc_audience",
    "oidc_jwks_url",
)
"""Required outside the embedded mode; none of these has a usable default."""

WELL_KNOWN_PASSWORDS = frozenset(
    "admin baobei changeit changeme change-me change_me default example guest letmein pass passw0rd password "
    "postgres qwerty root secret temporal test 123456 12345678 123456789".split()
)


class SettingsError(Exception):
    """The configuration is invalid; the message names every wrong variable and shows no secret."""


def _keyring(value: object) -> object:
    return Keyring.parse(value) if isinstance(value, str) and value.strip() else value


Keys = Annotated[Keyring, NoDecode, BeforeValidator(_keyring), Field(validate_default=True, repr=False)]
Required = Annotated[str, Field(validate_default=True)]
Port = Annotated[int, Field(ge=1, le=65535)]

NO_KEYS = Keyring(())


def _guessable(secret: bytes) -> bool:
    """Text, a repeated byte, a count upwards: something a person typed, not 32 random bytes.

    Random bytes are mistaken for it less than once in 10^12 keys.
    """
    steps = {(after - before) % 256 for before, after in pairwise(secret)}
    return len(set(secret)) < 16 or len(steps) == 1 or all(32 <= byte < 127 for byte in secret)


def _well_known(password: str) -> bool:
    return password.lower() in WELL_KNOWN_PASSWORDS


def _matching(value: str, pattern: str, problem: str) -> str:
    """`value` if it is empty or matches. Raises what pydantic reports as `problem`."""
    if value and not re.fullmatch(pattern, value):
        raise PydanticCustomError("pattern", problem)
    return value


class Settings(BaseSettings):
    """The configuration of one process. Variables are the field names in capitals with `BAOBEI_` before them."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True, hide_input_in_errors=True
    )

    embedded: bool = False
    """The one-machine mode. Declared first, because the validators of other fields read it."""
    home: Path | None = None
    """Where the embedded mode keeps its data."""
    rehearsal: bool = False
    """The embedded mode was started with `--rehearsal`: the clock of a single process can be moved (decision 13)."""

    database_url: Annotated[str, Field(validate_default=True, repr=False)] = ""
    """`postgresql+asyncpg://user:password@host:port/database`."""
    public_url: Required = ""
    """The public URL of the API, as used in mails; no trailing slash."""
    portal_url: str = ""
    """A portal of the company's own that shows subjects at the same paths as our pages; mails then link to it."""
    temporal_ui_url: str = ""
    """The URL of the Temporal UI; empty if it is not offered. Also the origin that may call the codec."""

    smtp_host: Required = ""
    smtp_port: Port = 587
    smtp_username: str = ""
    smtp_password: Annotated[SecretStr, Field(validate_default=True)] = SecretStr("")
    smtp_security: Literal["none", "starttls", "tls"] = "starttls"
    mail_from: Required = ""
    """The sender's address, without a name."""

    seal_keys: Keys = NO_KEYS
    """Keys that seal statements at the gateway."""
    link_keys: Keys = NO_KEYS
    """Keys that sign the links in mails."""
    payload_keys: Keys = NO_KEYS
    """Keys that encrypt payloads for the engine."""

    documents_url: str = ""
    """Where attached files are kept: `file:///folder`, `s3://bucket/prefix`, `az://…`, `gs://…`; empty for nowhere.
    Credentials come from the variables of the provider (`AWS_…`, `AZURE_…`, `GOOGLE_…`)."""
    clamav_socket: str = ""
    """The virus scanner that files are shown to: the path of a Unix socket, or `host:port`; empty for none."""

    oidc_issuer: Required = ""
    oidc_audience: Required = ""
    oidc_jwks_url: Required = ""
    oidc_person_claim: str = "sub"
    """The token claim that holds a person's login."""

    oidc_client_id: str = ""
    """The client that signs people in to the pages; without it, there are only the API and the links in mails."""
    oidc_client_secret: SecretStr = SecretStr("")
    """Empty for a public client; PKCE is used in any case."""
    oidc_scopes: str = "openid profile"

    api_host: str = "127.0.0.1"
    api_port: Port = 8700
    worker_health_host: str = "127.0.0.1"
    """The address the worker's health and metrics are served on: every address of a container, loopback elsewhere."""
    worker_health_port: Port = 8705
    worker_metrics_port: Port | None = None
    """The address of the Prometheus metrics of the engine's SDK; disabled if empty."""
    policy_file: FilePath = DEFAULT_POLICY_FILE
    workflow_sandbox: bool = True
    log_format: Literal["json", "console"] = "json"

    @field_validator("policy_file")
    @classmethod
    def _usable_policy(cls, value: Path) -> Path:
        try:
            policy = load_policy(value)
            WorkCalendar(region=policy.calendar_region, time_zone=policy.time_zone)
        except ValidationError as error:
            wrong = (
                f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
                for problem in error.errors(include_input=False)
            )
            raise PydanticCustomError("policy", "is not a policy ({wrong})", {"wrong": ", ".join(wrong)}) from None
        except (OSError, ValueError) as error:  # not readable, not UTF-8, not TOML, not complete
            raise PydanticCustomError("policy", "cannot be used ({why})", {"why": str(error)}) from None
        return value

    @field_validator("public_url", "portal_url", "temporal_ui_url", "oidc_jwks_url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        return _matching(value, r"https?://[^\s/?#@]+[^\s?#]*", "must be an http or https address").rstrip("/")

    @field_validator("documents_url")
    @classmethod
    def _document_store(cls, value: str) -> str:
        stores = r"(file:///|s3://|s3a://|gs://|az://|azure://|abfss?://)[^\s?#]+"
        return _matching(value, stores, "must be a file:///, s3://, gs:// or az:// address").rstrip("/")

    @field_validator("clamav_socket")
    @classmethod
    def _scanner(cls, value: str) -> str:
        sockets = r"/\S+|[^\s:/]+:\d{1,5}|\[[0-9a-fA-F:]+\]:\d{1,5}"
        return _matching(value, sockets, "must be the path of a socket, or host:port")

    @field_validator("mail_from")
    @classmethod
    def _mail_address(cls, value: str) -> str:
        return _matching(value, r"[^@\s<>,;]+@[^@\s<>,;]+", "must be a bare mail address")

    @field_validator("database_url")
    @classmethod
    def _postgresql(cls, value: str, info: ValidationInfo) -> str:
        if not value:
            return value
        scheme, separator, rest = value.partition("://")
        if not separator or scheme not in {"postgres", "postgresql", "postgresql+asyncpg"}:
            raise PydanticCustomError("database_url", "must be a postgresql:// address")
        try:
            password = unquote(urlsplit(f"postgresql://{rest}").password or "")
        except ValueError:
            raise PydanticCustomError("database_url", "must be a postgresql:// address") from None
        if not info.data.get("embedded") and _well_known(password):
            raise PydanticCustomError("well_known", "holds a well-known password")
        return f"postgresql+asyncpg://{rest}"

    @field_validator("smtp_password")
    @classmethod
    def _mail_login(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        if info.data.get("embedded") or not info.data.get("smtp_username"):
            return value
        if not value.get_secret_value():
            raise PydanticCustomError("missing", "is missing although a user name is given")
        if _well_known(value.get_secret_value()):
            raise PydanticCustomError("well_known", "is a well-known password")
        return value

    @field_validator("smtp_security")
    @classmethod
    def _no_password_in_clear(cls, value: str, info: ValidationInfo) -> str:
        if value == "none" and info.data.get("smtp_username") and not info.data.get("embedded"):
            raise PydanticCustomError("in_clear", "would send the mail password in clear")
        return value

    @field_validator("seal_keys", "link_keys", "payload_keys")
    @classmethod
    def _random_keys(cls, value: Keyring, info: ValidationInfo) -> Keyring:
        if info.data.get("embedded"):
            return value
        for key_id, secret in value.keys:
            if _guessable(secret.get_secret_value()):
                raise PydanticCustomError("well_known", "key {key} is not random", {"key": key_id})
        # Two purposes must not share a key: whoever learns it for one could do the other as well.
        for other in ("seal_keys", "link_keys"):
            ring = info.data.get(other, NO_KEYS) if other != info.field_name else NO_KEYS
            if set(value.secrets()) & set(ring.secrets()):
                name = variable(other)
                raise PydanticCustomError("shared", "shares a key with {other}", {"other": name})
        return value

    @field_validator(*REQUIRED)
    @classmethod
    def _given(cls, value: object, info: ValidationInfo) -> object:
        if not info.data.get("embedded") and value in ("", NO_KEYS):
            raise PydanticCustomError("missing", "is missing")
        return value


def variable(field: str) -> str:
    """The environment variable that sets `field`."""
    return PREFIX + field.upper()


def load_settings() -> Settings:
    """Read the environment. Raises `SettingsError` naming every variable that is missing, well-known or wrong."""
    try:
        return Settings()
    except ValidationError as error:
        problems = [
            f"{variable(str(problem['loc'][0]))} {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        raise SettingsError("The configuration cannot be used: " + "; ".join(problems) + ".") from None
