"""Where the client goes, read from the environment; nothing is contacted here."""

import os
import secrets
from pathlib import Path

import pytest
from pydantic import SecretBytes
from temporalio.converter import DefaultFailureConverterWithEncodedAttributes

from crypto.codec import EncryptionCodec
from crypto.keyring import Keyring
from runtime.settings import Settings
from runtime.temporal_client import connect

SETTINGS = Settings(embedded=True, payload_keys=Keyring((("k1", SecretBytes(secrets.token_bytes(32))),)))


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    for name in [name for name in os.environ if name.startswith("TEMPORAL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return monkeypatch


async def test_address_namespace_and_tls_come_from_temporals_own_variables(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("TEMPORAL_ADDRESS", "temporal.example.com:7233")
    environment.setenv("TEMPORAL_NAMESPACE", "approvals")
    environment.setenv("TEMPORAL_TLS", "true")
    environment.setenv("TEMPORAL_TLS_SERVER_NAME", "engine.example.com")
    client = await connect(SETTINGS, lazy=True)
    assert client.namespace == "approvals"
    config = client.service_client.config
    assert config.target_host == "temporal.example.com:7233"
    assert config.tls
    assert not isinstance(config.tls, bool)
    assert config.tls.domain == "engine.example.com"


@pytest.mark.usefixtures("environment")
async def test_what_the_engine_gets_is_encrypted() -> None:
    client = await connect(SETTINGS, lazy=True)
    assert client.service_client.config.target_host == "localhost:7233"
    assert isinstance(client.data_converter.payload_codec, EncryptionCodec)
    assert client.data_converter.failure_converter_class is DefaultFailureConverterWithEncodedAttributes


async def test_a_profile_file_counts_only_when_it_is_named(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    profile = tmp_path / "temporalio" / "temporal.toml"
    profile.parent.mkdir()
    profile.write_text('[profile.default]\naddress = "forgotten.example.com:7233"\n')
    client = await connect(SETTINGS, lazy=True)
    assert client.service_client.config.target_host == "localhost:7233"
    environment.setenv("TEMPORAL_CONFIG_FILE", str(profile))
    client = await connect(SETTINGS, lazy=True)
    assert client.service_client.config.target_host == "forgotten.example.com:7233"


async def test_a_client_without_payload_keys_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one key"):
        await connect(Settings(embedded=True, payload_keys=Keyring(())), lazy=True)
