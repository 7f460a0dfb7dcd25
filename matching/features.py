"""Numeric features of a pair of names: the input of the model in `model.json`."""

from __future__ import annotations

from rapidfuzz.distance import LCSseq, Levenshtein

from matching.names.anatomy import Anatomy
from matching.names.places import PROVINCES
from matching.names.rarity import rarity

FEATURES = (
    "asked_length",
    "other_length",
    "asked_covered",
    "other_covered",
    "brand_asked",
    "brand_other",
    "trade_asked",
    "trade_other",
    "asked_short",
    "other_short",
    "text_ratio",
    "core_ratio",
    "runs",
    "longest_run",
    "first_matches",
    "last_matches",
    "brand_first",
    "place_equal",
    "place_differs",
    "place_one_sided",
    "place_inside",
    "form_equal",
    "both_forms",
    "ending_equal",
    "ending_differs",
    "is_prefix",
    "asked_unit",
    "other_unit",
    "head_equal",
    "group",
    "brand_equal",
    "brand_missed_asked",
    "brand_missed_other",
    "trade_missed_asked",
    "trade_missed_other",
    "edits",
    "numbers_differ",
    "brand_run",
    "asked_all",
    "other_all",
    "brand_length_asked",
    "brand_length_other",
    "place_asked_matched",
    "state",
    "core_prefix",
    "core_suffix",
    "contains",
    "rarity_shared",
    "rarity_rarest",
    "rarity_missed",
    "at_starts",
    "first_at_start",
    "missed_asked",
    "missed_middle",
    "numbers_equal",
    "brand_between",
    "stem_equal",
)


def features(asked: Anatomy, other: Anatomy) -> list[float]:
    """In the order of `FEATURES`."""
    a, b = asked.core, other.core
    aligned = LCSseq.opcodes(a, b)
    # Per character: 1 if matched.
    ma, mb = bytearray(len(a)), bytearray(len(b))
    pairs: list[tuple[int, int, int]] = []
    for op in aligned:
        if op.tag == "equal":
            n = op.src_end - op.src_start
            pairs.append((op.src_start, op.dest_start, n))
            ma[op.src_start : op.src_end] = b"\1" * n
            mb[op.dest_start : op.dest_end] = b"\1" * n
    if a and not ma[0] and PROVINCES.get(a[0], "-") in other.place:
        ma[0] = 1  # 粤高速: the province by its one-character short form
    matched = sum(ma)
    ab, ae = asked.brand_at, asked.brand_at + len(asked.brand)
    bb, be = other.brand_at, other.brand_at + len(other.brand)
    brand_a = sum(ma[ab:ae])
    brand_b = sum(mb[bb:be])
    both_brand = 0
    brand_run = 0
    for i, j, n in pairs:
        lo = max(i, ab, ab if j >= bb else i + bb - j)
        hi = min(i + n, ae, i + be - j)
        if hi > lo:
            both_brand += hi - lo
            brand_run = max(brand_run, hi - lo)
    ta, tb = len(a) - ae, len(b) - be
    trade_a, trade_b = sum(ma[ae:]), sum(mb[be:])
    place_a, place_b = asked.place, other.place
    shared = [rarity(c) for c, m in zip(asked.brand, ma[ab:ae], strict=True) if m]
    missed = [rarity(c) for c, m in zip(asked.brand, ma[ab:ae], strict=True) if not m]
    first_b = pairs[0][1] if pairs else 0
    last_b = pairs[-1][1] + pairs[-1][2] if pairs else 0
    starts = other.starts
    la, lb = max(len(a), 1), max(len(b), 1)
    na, nb = asked.numbers, other.numbers
    return [
        float(len(a)),
        float(len(b)),
        matched / la,
        matched / lb,
        brand_a / max(ae - ab, 1),
        brand_b / max(be - bb, 1),
        trade_a / ta if ta else 1.0,
        trade_b / tb if tb else 1.0,
        float(asked.short),
        float(other.short),
        LCSseq.normalized_similarity(asked.text, other.text),
        Levenshtein.normalized_similarity(a, b),
        float(len(pairs)),
        float(max((n for _, _, n in pairs), default=0)),
        float(bool(a and b and a[0] == b[0])),
        float(bool(a and b and a[-1] == b[-1])),
        float(bool(asked.brand and other.brand and asked.brand[0] == other.brand[0])),
        float(bool(place_a) and place_a == place_b),
        float(bool(place_a and place_b) and not (place_a in place_b or place_b in place_a)),
        float(bool(place_a) != bool(place_b)),
        float(bool(place_a and place_b) and (place_a in place_b or place_b in place_a)),
        float(asked.form == other.form),
        float(bool(asked.form and other.form)),
        float(bool(asked.ending) and asked.ending == other.ending),
        float(bool(asked.ending and other.ending) and asked.ending != other.ending),
        float(asked.text.startswith(other.text) or other.text.startswith(asked.text)),
        float(bool(asked.unit)),
        float(bool(other.unit)),
        float(asked.head == other.head),
        float("集团" in b or "控股" in b) - float("集团" in a or "控股" in a),
        float(asked.brand == other.brand),
        float(ae - ab - brand_a),
        float(be - bb - brand_b),
        float(ta - trade_a),
        float(tb - trade_b),
        float(Levenshtein.distance(a, b)),
        float(bool(na and nb) and na != nb),
        float(brand_run),
        float(matched == len(a)),
        float(matched == len(b)),
        float(ae - ab),
        float(be - bb),
        float(sum(ma[:ab])),
        float(b.startswith("中国") or a.startswith("中国")),
        float(_common_prefix(a, b)),
        float(_common_prefix(a[::-1], b[::-1])),
        float(a in b or b in a),
        sum(shared) / len(shared) if shared else 0.0,
        max(shared, default=0.0),
        max(missed, default=0.0),
        sum(1 for j in range(len(b)) if mb[j] and j in starts) / max(matched, 1),
        float(bool(pairs) and pairs[0][1] in starts),
        float(len(a) - matched),
        float(sum(1 for j in range(first_b, last_b) if not mb[j])) if matched else 0.0,
        float(bool(na) and na == nb),
        float(sum(1 for j in range(max(first_b, bb), min(last_b, be)) if not mb[j])),
        float(bool(asked.ending and other.ending) and a.removesuffix(asked.ending) == b.removesuffix(other.ending)),
    ]


def _common_prefix(a: str, b: str) -> int:
    n = 0
    for x, y in zip(a, b, strict=False):
        if x != y:
            break
        n += 1
    return n
