"""Unified Social Credit Code 统一社会信用代码 (GB 32100-2015)."""

from __future__ import annotations

from pydantic_core import PydanticCustomError
from stdnum.cn import uscc
from stdnum.exceptions import InvalidChecksum, ValidationError


def check_uscc(code: str) -> str:
    """The compact upper-case code. Raises `PydanticCustomError` `uscc_format` or `uscc_check_digit`."""
    try:
        return str(uscc.validate(code))
    except InvalidChecksum:
        raise PydanticCustomError(
            "uscc_check_digit", "the last character does not match the other 17: a slip of the pen"
        ) from None
    except ValidationError:
        raise PydanticCustomError("uscc_format", "must be an 18-character Unified Social Credit Code") from None
