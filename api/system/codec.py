"""Encodes and decodes payloads in the format of the Temporal UI."""

from __future__ import annotations

import base64
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from api.problems import Refusal
from crypto.codec import needs_another_key
from domain.refusals import RefusalCode


class CodecPayload(BaseModel):
    """A payload in the format of the Temporal UI: protobuf JSON."""

    model_config = ConfigDict(extra="ignore")

    metadata: dict[str, str] = {}
    data: str = ""


class CodecBody(BaseModel):
    """Payloads to encode or decode, or the result."""

    model_config = ConfigDict(extra="ignore")

    # Omitted when there is nothing to encode, e.g. by a query without arguments from the command line.
    payloads: Annotated[list[CodecPayload], Field(max_length=2000)] = []


async def recode(body: CodecBody, coder: PayloadCodec, direction: Literal["encode", "decode"]) -> CodecBody:
    """The payloads of `body` after `coder`. Raises `Refusal` 422 for invalid base64 or a missing key."""
    try:
        payloads = [
            Payload(
                metadata={name: base64.b64decode(value, validate=True) for name, value in payload.metadata.items()},
                data=base64.b64decode(payload.data, validate=True),
            )
            for payload in body.payloads
        ]
        recoded = await (coder.encode(payloads) if direction == "encode" else coder.decode(payloads))
    except ValueError:
        raise Refusal(422, RefusalCode.UNREADABLE) from None
    if direction == "decode" and any(map(needs_another_key, recoded)):
        raise Refusal(422, RefusalCode.UNREADABLE)
    return CodecBody(
        payloads=[
            CodecPayload(
                metadata={name: base64.b64encode(value).decode() for name, value in payload.metadata.items()},
                data=base64.b64encode(payload.data).decode(),
            )
            for payload in recoded
        ]
    )
