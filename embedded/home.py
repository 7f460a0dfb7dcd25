"""The folder of a one-machine installation: its lock, secrets and settings."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from embedded.errors import StartError
from embedded.processes.ports import HOST, Ports

ENVIRONMENT_FILE = "environment"
MAIL_FROM = "baobei@localhost.localdomain"
AUDIENCE = "baobei"


@dataclass(frozen=True)
class Secrets:
    """Secrets generated once per home. The key fields have the format of the settings: `id:base64`."""

    seal_keys: str
    link_keys: str
    payload_keys: str
    postgres_password: str
    postgres_admin_password: str

    @classmethod
    def fresh(cls) -> Self:
        def key() -> str:
            return f"k1:{base64.b64encode(secrets.token_bytes(32)).decode()}"

        return cls(key(), key(), key(), secrets.token_urlsafe(24), secrets.token_urlsafe(24))


class Home:
    """A home; one supervisor at a time holds it."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().resolve()
        self._lock: int | None = None

    @property
    def mails(self) -> Path:
        return self.path / "mails"

    @property
    def dev_key(self) -> Path:
        return self.path / "dev-key.pem"

    def open(self) -> None:
        """Create and lock the folder. Raises StartError if it is not writable or another process holds the lock."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.path):
                pass  # as root, or on a read-only disk, permission bits mean nothing
            lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StartError(
                f"The home {self.path} cannot be written ({error.strerror}): choose another one with --home."
            ) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(lock, 32).decode("ascii", "replace").strip()
            os.close(lock)
            raise StartError(
                f"The home {self.path} is already in use{f' by process {holder}' if holder else ''}: "
                "stop that one first, or choose another home with --home and another port with --port."
            ) from None
        os.ftruncate(lock, 0)
        os.write(lock, f"{os.getpid()}\n".encode())
        self._lock = lock

    def close(self) -> None:
        if self._lock is not None:
            os.ftruncate(self._lock, 0)
            os.close(self._lock)
            self._lock = None

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def secrets(self) -> Secrets:
        """Read the secrets, or generate them on first use. Raises StartError if the file is damaged: new ones would
        not fit the data."""
        path = self.path / "secrets.json"
        try:
            return Secrets(**json.loads(path.read_text()))
        except FileNotFoundError:
            fresh = Secrets.fresh()
            write_private(path, json.dumps(vars(fresh), indent=2) + "\n")
            return fresh
        except (ValueError, TypeError):
            raise StartError(
                f"{path} is damaged: put it back from a copy, or start with a new home (the data needs these secrets)."
            ) from None

    def ensure_dev_key(self) -> None:
        """The key that signs tokens of the embedded mode (ES256)."""
        if not self.dev_key.exists():
            pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            write_private(self.dev_key, pem.decode())

    def write_environment(self, environment: Mapping[str, str]) -> None:
        """Write the settings for other commands on this home (`cli.py … --home`)."""
        text = "".join(f"{key}={value}\n" for key, value in environment.items())
        write_private(self.path / ENVIRONMENT_FILE, text)


def environment(
    home: Path, ports: Ports, kept: Secrets, database_url: str, *, rehearsal: bool = False
) -> dict[str, str]:
    """The environment variables for worker, API and command line."""
    api = f"http://{HOST}:{ports.api}"
    return {
        "BAOBEI_EMBEDDED": "true",
        "BAOBEI_HOME": str(home),
        "BAOBEI_REHEARSAL": str(rehearsal).lower(),
        "BAOBEI_DATABASE_URL": database_url,
        "BAOBEI_PUBLIC_URL": api,
        "BAOBEI_TEMPORAL_UI_URL": f"http://{HOST}:{ports.temporal_ui}",
        "BAOBEI_SMTP_HOST": HOST,
        "BAOBEI_SMTP_PORT": str(ports.smtp),
        "BAOBEI_SMTP_SECURITY": "none",
        "BAOBEI_MAIL_FROM": MAIL_FROM,
        "BAOBEI_SEAL_KEYS": kept.seal_keys,
        "BAOBEI_LINK_KEYS": kept.link_keys,
        "BAOBEI_PAYLOAD_KEYS": kept.payload_keys,
        "BAOBEI_DOCUMENTS_URL": (home / "documents").as_uri(),
        "BAOBEI_OIDC_ISSUER": f"{api}/dev",
        "BAOBEI_OIDC_AUDIENCE": AUDIENCE,
        "BAOBEI_OIDC_JWKS_URL": f"{api}/dev/jwks.json",
        "BAOBEI_OIDC_PERSON_CLAIM": "sub",
        "BAOBEI_API_HOST": HOST,
        "BAOBEI_API_PORT": str(ports.api),
        "BAOBEI_WORKER_HEALTH_PORT": str(ports.worker_health),
        "BAOBEI_LOG_FORMAT": os.environ.get("BAOBEI_LOG_FORMAT", "console"),
        "TEMPORAL_ADDRESS": f"{HOST}:{ports.temporal}",
        "TEMPORAL_NAMESPACE": "default",
    }


def read_environment(home: Path) -> dict[str, str]:
    """The settings written by the last start. Raises StartError if nothing was ever started there."""
    path = home.expanduser().resolve() / ENVIRONMENT_FILE
    try:
        lines = path.read_text().splitlines()
    except OSError:
        raise StartError(
            f"{home} is not a home that was started: run `python cli.py up --home {home}` first."
        ) from None
    return dict(line.split("=", 1) for line in lines if "=" in line)


def write_private(path: Path, text: str) -> None:
    """Write the file atomically, readable only by its owner."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # created with mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
