"""Encrypts everything that Temporal stores: customer data must not be readable in workflow histories."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import PydanticPayloadConverter, pydantic_data_converter
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    EncodingPayloadConverter,
    PayloadCodec,
)

from crypto.keyring import KEY_ID, Keyring

ENCODING = b"binary/encrypted"
KEY_ID_METADATA = "encryption-key-id"
NONCE_BYTES = 12
TAG_BYTES = 16


class UnknownKey(Exception):
    """A payload was encrypted with a key that is not configured here. Configuring the key solves it."""


def needs_another_key(payload: Payload) -> bool:
    """Whether a payload is still encrypted after decoding, because the codec lacks the key."""
    return payload.metadata.get("encoding") == ENCODING


class EncryptionCodec(PayloadCodec):
    """AES-256-GCM. The key id is stored in the metadata and authenticated together with the content."""

    def __init__(self, keyring: Keyring) -> None:
        """Encrypt with the newest key of `keyring`. Raises `ValueError` for an empty keyring."""
        if not keyring.keys:
            raise ValueError("payload encryption needs at least one key")
        self._newest, _ = keyring.newest
        self._ciphers = {key_id: AESGCM(secret.get_secret_value()) for key_id, secret in keyring.keys}

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Encrypt payloads together with their metadata."""
        return [self._encrypt(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Decrypt what this codec encrypted, with any key of the keyring; pass everything else through.

        Never raises: anyone with access to Temporal can send a signal with garbage, and an exception here would block
        that workflow's task for good. A payload that cannot be decrypted becomes `{"undecodable": true}`. If its key id
        is valid but not configured, the data is probably sound and the configuration incomplete: the payload stays
        encrypted (`needs_another_key`). Signal handlers treat it as unreadable; for everything else `_Converter` raises
        `UnknownKey`, and the task is retried until the key is configured.
        """
        return [self._decrypt(payload) for payload in payloads]

    def _encrypt(self, payload: Payload) -> Payload:
        key_id = self._newest.encode()
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._ciphers[self._newest].encrypt(nonce, payload.SerializeToString(), key_id)
        return Payload(metadata={"encoding": ENCODING, KEY_ID_METADATA: key_id}, data=nonce + sealed)

    def _decrypt(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != ENCODING:
            return payload
        key_id = payload.metadata.get(KEY_ID_METADATA, b"")
        name = key_id.decode("ascii", "replace")
        if not KEY_ID.fullmatch(name) or len(payload.data) < NONCE_BYTES + TAG_BYTES:
            return _undecodable()
        cipher = self._ciphers.get(name)
        if cipher is None:
            return payload
        try:
            content = cipher.decrypt(payload.data[:NONCE_BYTES], payload.data[NONCE_BYTES:], key_id)
            return Payload.FromString(content)
        except (InvalidTag, DecodeError):
            return _undecodable()


def _undecodable() -> Payload:
    return Payload(metadata={"encoding": b"json/plain"}, data=b'{"undecodable":true}')


class _StillEncrypted(EncodingPayloadConverter):
    """Reports the missing key when the content of a payload is needed."""

    @property
    def encoding(self) -> str:
        return ENCODING.decode()

    def to_payload(self, value: Any) -> Payload | None:  # noqa: ARG002
        return None

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:  # noqa: ARG002
        name = payload.metadata.get(KEY_ID_METADATA, b"").decode("ascii", "replace")
        raise UnknownKey(f"no payload key called {name} is configured")


class _Converter(CompositePayloadConverter):
    """Pydantic JSON, and `UnknownKey` for payloads that the codec had to leave encrypted."""

    def __init__(self) -> None:
        super().__init__(*PydanticPayloadConverter().converters.values(), _StillEncrypted())


def data_converter(keyring: Keyring) -> DataConverter:
    """The data converter of API, worker, command line and replays: pydantic JSON, encrypted.

    Failure messages and stack traces are encrypted as well, since they can quote confidential data.
    """
    return dataclasses.replace(
        pydantic_data_converter,
        payload_converter_class=_Converter,
        payload_codec=EncryptionCodec(keyring),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )
