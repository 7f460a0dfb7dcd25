"""Generates any number of fictitious company names as in a register: the bench ships no data."""

from __future__ import annotations

import random
from collections.abc import Iterator

from matching.names.places import places
from matching.names.rarity import BY_FREQUENCY
from matching.names.words import TRADES

FORMS = (*["有限公司"] * 14, *["有限责任公司"] * 4, "股份有限公司", "集团有限公司")
BRAND_CHARACTERS = BY_FREQUENCY[100:]
"""Without the most common characters, which are those of trades and legal forms."""


def invented(count: int, seed: int = 1) -> Iterator[str]:
    """`count` distinct names, deterministic for a seed."""
    chance = random.Random(seed)
    where, trades = sorted(places()), sorted(trade for trade in TRADES if len(trade) > 1)
    seen: set[str] = set()
    while len(seen) < count:
        brand = "".join(chance.choices(BRAND_CHARACTERS, k=2 if chance.random() < 0.8 else 3))
        trade = chance.choice(trades) + (chance.choice(trades) if chance.random() < 0.3 else "")
        name = chance.choice(where) + brand + trade + chance.choice(FORMS)
        if name not in seen:
            seen.add(name)
            yield name
