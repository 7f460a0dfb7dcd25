"""What the engine stores cannot be read without the key, and garbage from the engine never stops a workflow."""

import base64
import secrets
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretBytes
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.common import RawValue
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError

from crypto.codec import EncryptionCodec, UnknownKey, data_converter, needs_another_key
from crypto.keyring import Keyring
from domain.statements import AnswerTask, statement_of
from workflows.messages import UNREADABLE, text_of


def ring(*ids: str) -> Keyring:
    return Keyring(tuple((key_id, SecretBytes(secrets.token_bytes(32))) for key_id in ids))


OLD = ring("k1")
NEW = Keyring(OLD.keys + ring("k2").keys)
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data='{"customer":"华东电力"}'.encode())
UNDECODABLE = Payload(metadata={"encoding": b"json/plain"}, data=b'{"undecodable":true}')


async def test_what_is_encrypted_comes_back_and_shows_nothing() -> None:
    codec = EncryptionCodec(NEW)
    (encrypted,) = await codec.encode([PLAIN])
    stored = encrypted.SerializeToString()
    assert "华东".encode() not in stored
    assert b"json" not in stored
    assert encrypted.metadata["encryption-key-id"] == b"k2"
    assert await codec.decode([encrypted]) == [PLAIN]


async def test_the_same_value_never_looks_the_same_twice() -> None:
    codec = EncryptionCodec(NEW)
    seen = {(await codec.encode([PLAIN]))[0].data for _ in range(100)}
    assert len(seen) == 100


async def test_an_older_key_still_decodes_and_an_unencrypted_payload_passes_through() -> None:
    (encrypted,) = await EncryptionCodec(OLD).encode([PLAIN])
    assert await EncryptionCodec(NEW).decode([encrypted, PLAIN]) == [PLAIN, PLAIN]


async def test_a_key_that_is_not_configured_is_an_error_that_heals_for_whoever_reads() -> None:
    converter = data_converter(OLD)
    (encrypted,) = await data_converter(NEW).encode([AnswerTask(task_id="t1")])
    (left,) = await EncryptionCodec(OLD).decode([encrypted])
    assert left == encrypted
    assert needs_another_key(left)
    with pytest.raises(UnknownKey, match="k2"):
        await converter.decode([encrypted], [AnswerTask])
    with pytest.raises(UnknownKey, match="k2"):
        await converter.decode([encrypted])
    assert await data_converter(NEW).decode([encrypted], [AnswerTask]) == [AnswerTask(task_id="t1")]


async def test_a_signal_under_a_key_that_is_not_configured_is_kept_and_cannot_be_read() -> None:
    (encrypted,) = await EncryptionCodec(NEW).encode([PLAIN])
    (raw,) = await data_converter(OLD).decode([encrypted], [RawValue])
    assert text_of([raw.payload]) == UNREADABLE
    assert statement_of("answer_task", UNREADABLE).unreadable


def _changed(payload: Payload, **changes: Any) -> Payload:
    changed = Payload()
    changed.CopyFrom(payload)
    for name, value in changes.items():
        if name == "data":
            changed.data = value
        else:
            changed.metadata["encryption-key-id"] = value
    return changed


async def test_garbage_becomes_a_payload_that_says_so() -> None:
    codec = EncryptionCodec(NEW)
    (sound,) = await codec.encode([PLAIN])
    flipped = bytes([sound.data[0] ^ 1]) + sound.data[1:]
    garbage = [
        _changed(sound, data=b""),
        _changed(sound, data=b"x" * 27),
        _changed(sound, data=b"x" * 200),
        _changed(sound, data=flipped),
        _changed(sound, data=sound.data[:-1]),
        _changed(sound, key_id=b"k1"),  # another key's id: authenticated with the content
        _changed(sound, key_id=b""),
        _changed(sound, key_id=b"\xff\xfe"),  # no key can be configured under these names
        _changed(sound, key_id=b"no such name"),
        Payload(metadata={"encoding": b"binary/encrypted"}, data=sound.data),
    ]
    for payload in garbage:
        assert await codec.decode([payload]) == [UNDECODABLE]


async def test_well_encrypted_nonsense_becomes_a_payload_that_says_so() -> None:
    codec = EncryptionCodec(NEW)
    cipher, nonce = codec._ciphers["k2"], bytes(12)
    nonsense = _changed((await codec.encode([PLAIN]))[0], data=nonce + cipher.encrypt(nonce, b"\xff\xff\xff", b"k2"))
    assert await codec.decode([nonsense]) == [UNDECODABLE]


@given(data=st.binary(max_size=200), key_id=st.binary(max_size=40))
async def test_no_bytes_at_all_make_decode_raise(data: bytes, key_id: bytes) -> None:
    codec = EncryptionCodec(NEW)
    payload = Payload(metadata={"encoding": b"binary/encrypted", "encryption-key-id": key_id}, data=data)
    (done,) = await codec.decode([payload])
    assert done in (payload, UNDECODABLE)
    if done == payload:
        assert key_id.decode().replace("-", "").replace("_", "").isalnum()


async def test_an_undecodable_signal_arrives_as_a_statement_that_nothing_accepts() -> None:
    converter = data_converter(NEW)
    (sound,) = await converter.encode([AnswerTask(task_id="t1", choice="approve", seal="x")])
    (received,) = await converter.decode([_changed(sound, data=b"x" * 100)], [AnswerTask])
    assert isinstance(received, AnswerTask)
    assert received.unreadable
    assert received.seal == ""


async def test_values_cross_whole_and_failures_are_encrypted_with_their_traces() -> None:
    converter: DataConverter = data_converter(NEW)
    said = AnswerTask(task_id="t1", choice="approve", fields={"amount": "1250000.00", "备注": ["一", None, 2.5]})
    assert await converter.decode(await converter.encode([said]), [AnswerTask]) == [said]
    failure = Failure()
    try:
        raise ApplicationError("华东电力 has no licence", type="Refused")
    except ApplicationError as error:
        await converter.encode_failure(error, failure)
    stored = failure.SerializeToString()
    assert "华东".encode() not in stored
    assert b"ApplicationError(" not in stored
    restored = await converter.decode_failure(failure)
    assert isinstance(restored, ApplicationError)
    assert restored.message == "华东电力 has no licence"


def test_encryption_without_a_key_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one key"):
        EncryptionCodec(Keyring(()))


def test_a_keyring_reads_both_spellings_of_base64() -> None:
    secret = b"\xfb\xff" * 16
    for encoded in (base64.b64encode(secret), base64.urlsafe_b64encode(secret)):
        assert Keyring.parse(f"k:{encoded.decode()}").newest == ("k", secret)
