"""What a process refuses to start with."""

import base64
import os
import secrets
from pathlib import Path

import pytest
from pydantic import ValidationError

from crypto.keyring import Keyring
from domain.policy import DEFAULT_POLICY_FILE
from runtime.settings import PREFIX, REQUIRED, Settings, SettingsError, load_settings, variable

SHIPPED = DEFAULT_POLICY_FILE.read_text(encoding="utf-8")


def random_key(key_id: str = "k1") -> str:
    return f"{key_id}:{base64.b64encode(secrets.token_bytes(32)).decode()}"


@pytest.fixture
def complete(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment with everything production needs."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    values = {
        "database_url": f"postgresql://baobei:{secrets.token_hex(8)}@db:5432/baobei",
        "public_url": "https://baobei.example.com/",
        "smtp_host": "mail.example.com",
        "mail_from": "baobei@example.com",
        "seal_keys": random_key(),
        "link_keys": random_key(),
        "payload_keys": f"{random_key('old')},{random_key('new')}",
        "oidc_issuer": "https://login.example.com/",
        "oidc_audience": "baobei",
        "oidc_jwks_url": "https://login.example.com/jwks",
    }
    assert set(values) == set(REQUIRED)
    for name, value in values.items():
        monkeypatch.setenv(variable(name), value)
    return monkeypatch


@pytest.mark.usefixtures("complete")
def test_a_complete_environment_is_read() -> None:
    settings = load_settings()
    assert settings.public_url == "https://baobei.example.com"
    assert settings.oidc_issuer == "https://login.example.com/"
    assert settings.database_url.startswith("postgresql+asyncpg://baobei:")
    assert [key_id for key_id, _ in settings.payload_keys.keys] == ["old", "new"]
    assert settings.payload_keys.newest[0] == "new"
    assert len(settings.payload_keys.newest[1]) == 32
    with pytest.raises(ValidationError):
        settings.public_url = "https://other.example.com"  # type: ignore[misc]


def test_no_secret_shows_when_settings_are_printed(complete: pytest.MonkeyPatch) -> None:
    complete.setenv("BAOBEI_SMTP_USERNAME", "sender")
    complete.setenv("BAOBEI_SMTP_PASSWORD", "hunter-of-words")
    settings = load_settings()
    shown = f"{settings!r} {settings} {settings.seal_keys}"
    password = settings.database_url.split(":")[2].split("@")[0]
    for secret in (password, "hunter-of-words", os.environ["BAOBEI_SEAL_KEYS"].split(":")[1]):
        assert secret not in shown


def test_an_empty_environment_is_refused_in_one_message_naming_every_variable(complete: pytest.MonkeyPatch) -> None:
    for name in REQUIRED:
        complete.delenv(variable(name))
    with pytest.raises(SettingsError) as refused:
        load_settings()
    message = str(refused.value)
    assert "\n" not in message
    for name in REQUIRED:
        assert f"{variable(name)} is missing" in message


@pytest.mark.parametrize("name", REQUIRED)
def test_an_empty_value_counts_as_missing(complete: pytest.MonkeyPatch, name: str) -> None:
    complete.setenv(variable(name), "")
    with pytest.raises(SettingsError, match=f"{variable(name)} is missing"):
        load_settings()


def test_the_embedded_mode_needs_nothing(complete: pytest.MonkeyPatch) -> None:
    for name in REQUIRED:
        complete.delenv(variable(name))
    complete.setenv("BAOBEI_EMBEDDED", "true")
    complete.setenv("BAOBEI_HOME", "/var/tmp/baobei")
    settings = load_settings()
    assert settings.embedded
    assert settings.home == Path("/var/tmp/baobei")
    assert settings.seal_keys == Keyring(())


GUESSABLE = [bytes(32), b"\xff" * 32, bytes(range(32)), b"0123456789abcdefghijklmnopqrstuv", b"changeme" * 4]


@pytest.mark.parametrize("name", ["seal_keys", "link_keys", "payload_keys"])
@pytest.mark.parametrize("secret", GUESSABLE)
def test_a_key_a_person_typed_is_refused(complete: pytest.MonkeyPatch, name: str, secret: bytes) -> None:
    encoded = base64.b64encode(secret).decode()
    complete.setenv(variable(name), f"{random_key('a')},k9:{encoded}")
    with pytest.raises(SettingsError, match=f"{variable(name)} key k9 is not random") as refused:
        load_settings()
    assert encoded not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("nonsense", "not written as id:base64"),
        ("k1:***", "not valid base64"),
        ("k1:" + base64.b64encode(bytes(31)).decode(), "31 bytes"),
        ("k 1:" + base64.b64encode(bytes(32)).decode(), "not written as id:base64"),
        (f"{random_key('a')},{random_key('a')}", "given twice"),
        (f"{random_key('a')},", "key 2"),
    ],
    ids=["no key", "no base64", "too short", "id with a space", "twice", "nothing after the comma"],
)
def test_an_unreadable_key_is_named_without_being_shown(complete: pytest.MonkeyPatch, text: str, why: str) -> None:
    complete.setenv("BAOBEI_LINK_KEYS", text)
    with pytest.raises(SettingsError, match=f"BAOBEI_LINK_KEYS .*{why}") as refused:
        load_settings()
    assert base64.b64encode(bytes(32)).decode() not in str(refused.value)


def test_one_key_cannot_serve_two_purposes(complete: pytest.MonkeyPatch) -> None:
    shared = random_key()
    complete.setenv("BAOBEI_SEAL_KEYS", shared)
    complete.setenv("BAOBEI_PAYLOAD_KEYS", shared)
    with pytest.raises(SettingsError, match="BAOBEI_PAYLOAD_KEYS shares a key with BAOBEI_SEAL_KEYS"):
        load_settings()


def test_well_known_passwords_are_refused(complete: pytest.MonkeyPatch) -> None:
    complete.setenv("BAOBEI_DATABASE_URL", "postgresql://baobei:postgres@db/baobei")
    complete.setenv("BAOBEI_SMTP_USERNAME", "sender")
    complete.setenv("BAOBEI_SMTP_PASSWORD", "ChangeMe")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert "BAOBEI_DATABASE_URL holds a well-known password" in str(refused.value)
    assert "BAOBEI_SMTP_PASSWORD is a well-known password" in str(refused.value)


def test_a_mail_login_is_whole_and_never_sent_in_clear(complete: pytest.MonkeyPatch) -> None:
    complete.setenv("BAOBEI_SMTP_USERNAME", "sender")
    complete.setenv("BAOBEI_SMTP_SECURITY", "none")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert "BAOBEI_SMTP_PASSWORD is missing although a user name is given" in str(refused.value)
    assert "BAOBEI_SMTP_SECURITY would send the mail password in clear" in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("database_url", "sqlite:///baobei.db"),
        ("database_url", "postgresql://[half"),
        ("public_url", "baobei.example.com"),
        ("public_url", "https://baobei.example.com?x=1"),
        ("oidc_jwks_url", "file:///etc/passwd"),
        ("mail_from", "Baobei <baobei@example.com>"),
        ("smtp_port", "70000"),
        ("smtp_security", "maybe"),
        ("policy_file", "/nowhere/policy.toml"),
        ("embedded", "perhaps"),
    ],
)
def test_a_wrong_value_is_named(complete: pytest.MonkeyPatch, name: str, value: str) -> None:
    complete.setenv(variable(name), value)
    with pytest.raises(SettingsError, match=variable(name)):
        load_settings()


def test_settings_can_be_built_by_hand_for_a_test(complete: pytest.MonkeyPatch) -> None:
    complete.delenv("BAOBEI_SEAL_KEYS")
    ring = Keyring.parse(random_key())
    assert Settings(embedded=True, seal_keys=ring).seal_keys is not None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'version = "2027-01"\n[accounts]\nlimit = 0\n', ("accounts.limit: ", "time_zone: Field required")),
        (SHIPPED.replace("[deadlines.vp_review]", "[deadlines.gm_approval_]").encode(), ("deadlines.gm_approval_",)),
        (SHIPPED.partition("[deadlines.gm_approval]")[0].encode(), ("no deadlines for supply_information, gm_",)),
        (SHIPPED.replace("Asia/Shanghai", "Asia/Nowhere").encode(), ("time_zone",)),
        (SHIPPED.replace('"CN"', '"XX"').encode(), ("region",)),
        (b"not toml", ("cannot be used",)),
        (b"\xff", ("cannot be used",)),
    ],
)
def test_a_policy_file_that_cannot_be_used_is_refused_in_one_line(
    complete: pytest.MonkeyPatch, tmp_path: Path, content: bytes, said: tuple[str, ...]
) -> None:
    file = tmp_path / "policy.toml"
    file.write_bytes(content)
    complete.setenv("BAOBEI_POLICY_FILE", str(file))
    with pytest.raises(SettingsError) as refused:
        load_settings()
    message = str(refused.value)
    assert "BAOBEI_POLICY_FILE" in message
    assert all(part in message for part in said)
    assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("documents_url", "file:///var/lib/baobei", "/var/lib/baobei"),
        ("documents_url", "s3://bucket/prefix", "s3:bucket"),
        ("documents_url", "az://account/container", "memory:///"),
        ("clamav_socket", "/run/clamav/clamd.ctl", "clamd.ctl"),
        ("clamav_socket", "scanner:3310", "scanner"),
        ("clamav_socket", "[::1]:3310", "http://scanner:3310"),
    ],
)
def test_where_files_go_and_who_scans_them_is_checked_at_the_start(
    complete: pytest.MonkeyPatch, name: str, good: str, bad: str
) -> None:
    complete.setenv(variable(name), good)
    assert getattr(load_settings(), name) == good
    complete.setenv(variable(name), bad)
    with pytest.raises(SettingsError, match=variable(name)):
        load_settings()
