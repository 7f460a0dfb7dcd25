"""E-mail addresses that the product accepts as recipients."""

from __future__ import annotations

import re

_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


def is_email_address(address: str) -> bool:
    """Whether `address` is one bare mailbox (RFC 5321, without quoting and without internationalised parts).

    Nothing that passes can carry a second recipient, a display name or a header of its own.
    """
    local, at, domain = address.rpartition("@")
    labels = domain.split(".")
    return (
        bool(at)
        and len(local) <= 64
        and len(domain) <= 253
        and _LOCAL.fullmatch(local) is not None
        and len(labels) >= 2
        and all(_LABEL.fullmatch(label) for label in labels)
        and not labels[-1].isdigit()
    )
