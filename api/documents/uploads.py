"""Receives a file, judges it, and has it kept: what the API and the pages share."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Final

import structlog
from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from api.gateway.gateway import Caller
from api.problems import Refusal, Unavailable
from api.state import State
from db import documents
from db.connection.engine import autocommit
from db.documents import DocumentRow
from db.reads import gateway_reads
from documents.errors import Infected, ScannerAway, StoreAway
from documents.sniffing import HEAD, TextCheck, types_that_fit
from domain.documents.document import DocumentPart, Target, clean_name, is_target_of
from domain.documents.judgements import judge_number, judge_size, judge_type, refuse_document
from domain.policy import Documents
from domain.refusals import RefusalCode, Refused
from domain.subject import SubjectType

FILE_FIELD: Final = "file"
PIECE: Final = 64 * 1024
"""Bytes read at a time; `Request.form` keeps what is above a megabyte on disk, unnamed."""
MOST_FIELDS: Final = 12

STATUS_BY_CODE: Final[Mapping[str, int]] = {
    RefusalCode.DOCUMENT_TOO_LARGE: 413,
    RefusalCode.DOCUMENTS_TOO_MANY: 409,
}
"""Every other refusal of a file is 422."""

log = structlog.get_logger()


class Upload:
    """A file that has arrived whole, with the fields of its form."""

    def __init__(self, fields: dict[str, str], file: UploadFile | None) -> None:
        self.fields = fields
        self._file = file
        self.name = clean_name(file.filename or "") if file else ""
        self.size = 0
        self.sha256 = ""
        self.head = b""
        self.is_text = False

    @property
    def is_missing(self) -> bool:
        """A form whose file was not chosen is sent with an empty one without a name."""
        return self._file is None or not self._file.filename

    async def measure(self) -> None:
        """Read it once: size, digest, first bytes, and whether it is text."""
        digest, text = hashlib.sha256(), TextCheck()
        async for piece in self.content():
            if not self.head:
                self.head = piece[:HEAD]
            self.size += len(piece)
            digest.update(piece)
            text.feed(piece)
        text.feed(b"", last=True)
        self.sha256, self.is_text = digest.hexdigest(), text.holds

    async def content(self) -> AsyncIterator[bytes]:
        """Its bytes from the beginning."""
        assert self._file is not None
        await self._file.seek(0)
        while piece := await self._file.read(PIECE):
            yield piece

    def canonical(self, target: Target) -> bytes:
        """What makes two uploads the same; the bytes around a file in a form differ each time."""
        said = [self.name, self.sha256, target.part, target.about]
        return json.dumps(said, ensure_ascii=True).encode()


@contextlib.asynccontextmanager
async def received(state: State, request: Request) -> AsyncIterator[Upload]:
    """The upload of a request, gone from memory and disk afterwards.

    The caller has checked who sends it: nothing is read before. Raises `Refusal` 400 for a form that cannot be read,
    413 for one that is too large, 503 when none can be kept or too many arrive at the same time.
    """
    if state.documents is None:
        raise Unavailable(RefusalCode.DOCUMENTS_OFF)
    if state.documents.slots.locked():
        raise Unavailable(RefusalCode.TOO_MANY_UPLOADS)
    async with state.documents.slots:
        try:
            form = await request.form(max_files=1, max_fields=MOST_FIELDS)
        except HTTPException as error:  # not a form that can be read
            raise Refusal(400, RefusalCode.UNREADABLE) from error
        except ClientDisconnect as error:  # nobody reads the response
            raise Refusal(400, RefusalCode.TOO_SLOW) from error
        try:
            items = form.multi_items()
            file = next((item for name, item in items if name == FILE_FIELD and isinstance(item, UploadFile)), None)
            yield Upload({name: item for name, item in items if isinstance(item, str)}, file)
        finally:
            await form.close()


async def keep(
    state: State, upload: Upload, caller_of: Callable[[bytes], Caller], subject_type: SubjectType, subject_id: str
) -> DocumentRow:
    """Judge and keep a file for a subject that the caller may see. Returns its row.

    `caller_of`: makes the `Caller` from what identifies the upload. The same key and file twice are one document.
    Raises `Refusal` with the reason: 409, 413 or 422, or 503 when nothing can be kept at present.
    """
    if state.documents is None:
        raise Unavailable(RefusalCode.DOCUMENTS_OFF)
    limits = state.facts.policy.documents
    try:
        kind = await _judged(upload, limits)
        target = await _target(state, upload, subject_type, subject_id)
        caller = caller_of(upload.canonical(target))
        if earlier := await _bound(state, caller, subject_id, limits):
            return earlier
        row = DocumentRow(
            id=caller.message_id[:20],
            subject_type=subject_type,
            subject_id=subject_id,
            part=target.part,
            about=target.about,
            name=upload.name,
            media_type=kind,
            size=upload.size,
            sha256=upload.sha256,
            person=caller.person.id,
            uploaded_at=state.clock(),
            key_id="",
            path="",
        )
        return await state.documents.keep(row, upload.content, limits)
    except Refused as refused:
        status = STATUS_BY_CODE.get(refused.code, 422)
        raise Refusal(status, refused.code, problems=refused.problems, facts=refused.facts) from refused
    except Infected as found:
        log.warning("document infected", subject=subject_id, sha256=upload.sha256, found=str(found))
        raise Refusal(422, RefusalCode.DOCUMENT_INFECTED) from found
    except ScannerAway as error:
        log.warning("scanner away", error=str(error))
        raise Unavailable(RefusalCode.SCANNER_AWAY) from error
    except StoreAway as error:
        log.warning("documents away", error=str(error))
        raise Unavailable(RefusalCode.DOCUMENTS_AWAY) from error


async def _judged(upload: Upload, limits: Documents) -> str:
    """The media type of the file. Raises `Refused`."""
    if upload.is_missing:
        refuse_document(RefusalCode.DOCUMENT_MISSING)
    await upload.measure()
    judge_size(upload.size, limits)
    fits = types_that_fit(upload.head, is_text=upload.is_text)
    return judge_type(upload.name, fits, limits).media_type


async def _target(state: State, upload: Upload, subject_type: SubjectType, subject_id: str) -> Target:
    """What of the subject the file is for. Raises `Refused` when there is no such thing."""
    try:
        part = DocumentPart(upload.fields.get("part") or subject_type)
    except ValueError:
        refuse_document(RefusalCode.DOCUMENT_TARGET_UNKNOWN)
    target = Target(part=part, about=upload.fields.get("about") or None)
    known = is_target_of(target, subject_type)
    if known and target.about is not None:
        async with autocommit(state.engine) as connection:
            found = await documents.targets_of(connection, subject_id)
        known = any((row.part, row.about) == (target.part, target.about) for row in found)
    if not known:
        refuse_document(RefusalCode.DOCUMENT_TARGET_UNKNOWN)
    return target


async def _bound(state: State, caller: Caller, subject_id: str, limits: Documents) -> DocumentRow | None:
    """Bind the key to the file before anything is kept. Returns the document if it is on record already.

    Raises `Refusal` 422 when the key was used with another file, `Refused` when there is no room for one more.
    """
    async with autocommit(state.engine) as connection:
        bound = await gateway_reads.bind_message(connection, caller.message_id, caller.person.id, caller.body_hash)
        if bound != caller.body_hash:
            raise Refusal(422, RefusalCode.IDEMPOTENCY_REUSED)
        earlier = await documents.find(connection, caller.message_id[:20])
        if earlier is None:
            judge_number(len(await documents.of_subject(connection, subject_id)), limits)
    return earlier
