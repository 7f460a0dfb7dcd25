"""The model that turns features into one weight: small decision trees, trained by `bench/conflicts/train.py`, stored
as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from math import exp
from pathlib import Path
from typing import Any

from matching.features import FEATURES

MODEL_FILE = Path(__file__).with_name("model.json")

Node = tuple[int, float, Any, Any]
"""An inner node (feature, bound, child if at most the bound, child if above), or `LEAF` with a weight."""

LEAF = -1


@cache
def _trees() -> tuple[Node, ...]:
    kept = json.loads(MODEL_FILE.read_text(encoding="utf-8"))
    if tuple(kept["features"]) != FEATURES:
        raise ValueError(f"{MODEL_FILE.name} was learned from other features: run bench.conflicts.train")
    return tuple(map(_node, kept["trees"]))


def _node(kept: Any) -> Node:
    if isinstance(kept, list):
        feature, bound, low, high = kept
        return int(feature), float(bound), _node(low), _node(high)
    return LEAF, float(kept), None, None


def weight(features: Sequence[float]) -> float:
    """The sum over all trees: above 0 the names are more likely one company or related, below 0 two."""
    total = 0.0
    for tree in _trees():
        feature, bound, low, high = tree
        while feature != LEAF:
            feature, bound, low, high = low if features[feature] <= bound else high
        total += bound
    return total


def likelihood(total: float) -> float:
    """The logistic function of a weight, from 0 to 1."""
    return 1 / (1 + exp(-max(-60.0, min(60.0, total))))
