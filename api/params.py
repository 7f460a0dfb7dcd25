"""Parameters and bodies that several routes share."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query
from pydantic import BaseModel, ConfigDict

from domain.base import Text

SubjectId = Annotated[str, Path(pattern=r"^[a-z0-9-]{1,64}$")]
Limit = Annotated[int, Query(ge=1, le=100, description="The maximum number of items to return.")]
Cursor = Annotated[str | None, Query(max_length=500, description="`next_cursor` of the previous page.")]
PersonQuery = Annotated[str | None, Query(pattern=r"^[a-z][a-z0-9._-]{0,62}$")]


class Reason(BaseModel):
    """The reason for the request."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reason: Text
