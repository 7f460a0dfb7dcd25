"""The codes a customer is registered under: the credit code, and the number that older papers still bear.

The Unified Social Credit Code 统一社会信用代码 (GB 32100-2015) has 18 characters. The registration number 注册号
before it has 15 digits, the last a check digit by ISO 7064 MOD 11,10. Neither can be reckoned from the other: two codes
of one kind tell two companies apart, a code of each kind says nothing.
"""

from __future__ import annotations

from functools import lru_cache

from pydantic_core import PydanticCustomError
from stdnum.cn import uscc
from stdnum.exceptions import InvalidChecksum, ValidationError
from stdnum.iso7064 import mod_11_10

REGISTRATION_DIGITS = 15


def check_uscc(code: str) -> str:
    """The compact upper-case code. Raises `PydanticCustomError` `uscc_format` or `uscc_check_digit`."""
    try:
        return str(uscc.validate(code))
    except InvalidChecksum:
        raise PydanticCustomError(
            "uscc_check_digit", "the last character does not match the other 17: a slip of the pen"
        ) from None
    except ValidationError:
        raise PydanticCustomError(
            "uscc_format", "must be an 18-character Unified Social Credit Code, or a registration number of 15 digits"
        ) from None


@lru_cache(maxsize=2000)  # what was right once is read again with every form and every row it stands in
def check_code(code: str) -> str:
    """The compact code of either kind. Raises `PydanticCustomError`: as `check_uscc`, or `registration_check_digit`."""
    number = str(uscc.compact(code))
    if len(number) != REGISTRATION_DIGITS or not (number.isascii() and number.isdigit()):
        return check_uscc(code)
    if not mod_11_10.is_valid(number):
        raise PydanticCustomError(
            "registration_check_digit", "the last digit does not match the other 14: a slip of the pen"
        )
    return number


def kept_apart(one: str | None, other: str | None) -> bool:
    """Whether the codes say that they are of two companies: both are known, of one kind, and differ."""
    return bool(one and other) and one != other and len(one or "") == len(other or "")
