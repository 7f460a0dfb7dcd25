"""`python -m bench.conflicts.train FILE`: trains `matching/model.json` and scores it on unseen names.

Uses only sources whose licence permits shipping the result: the A-share and Hong Kong lists of go-stock (Apache-2.0)
and ga-hk_stock_info (MIT), the research organisations of ROR (CC0) and the open data of Taiwan companies. The rest is
generated: companies with names like those of a register, similar ones, branches and abbreviations. No other source is
used, not even for tuning.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

from rapidfuzz.distance import LCSseq

from bench.conflicts.data import Data
from domain.conflicts.grams import STANDING, is_pair, of_head
from matching.features import FEATURES, features
from matching.model import MODEL_FILE
from matching.names.anatomy import anatomy
from matching.names.grams import grams
from matching.names.places import places
from matching.names.rarity import rarity
from matching.names.script import is_han
from matching.names.words import TRADES

SOURCES = frozenset({"gostock-2025", "gostock-hk-2025", "hkex-2026", "hkconnect-2026", "ror-2026", "twse-2023"})
FOLDS = 5
TREES, LEAVES, PACE = 120, 12, 0.1
MADE_UP = 60_000
UNITS = ("分公司", "支公司", "第一分公司", "经营部", "门市部", "营业部", "办事处", "销售部", "分店", "项目部", "分厂")
FORMS = (*["有限公司"] * 12, *["有限责任公司"] * 3, "股份有限公司", "集团有限公司")


class Example(NamedTuple):
    asked: str
    other: str
    kin: bool
    """Same company, or same group."""
    entity: str
    """The entity that determines its fold."""
    weight: float


class Names:
    """Real names of the sources, and generated names that could be confused with them."""

    def __init__(self, data: Data, chance: random.Random) -> None:
        self.chance = chance
        self.owner = {
            name: entity["eid"] for entity in data.entities if entity["src"] in SOURCES for name in entity["names"]
        }
        self.real = sorted(self.owner)
        self.chinese = [name for name in self.real if any(map(is_han, name))]
        self.brands = [brand for name in self.chinese if 2 <= len(brand := anatomy(name).brand) <= 4]
        self.characters = [character for brand in self.brands for character in brand]
        self.trades = sorted(trade for trade in TRADES if len(trade) > 1)
        self.places = sorted(places())
        self.short_places = [place for place in self.places if len(place) == 2]
        self.made_up = sorted({self.invented() for _ in range(MADE_UP)})
        self.all = [*self.real, *self.made_up]
        self.having: dict[int, list[int]] = defaultdict(list)
        for place, name in enumerate(self.all):
            for gram in grams(anatomy(name)):
                if gram != STANDING:
                    self.having[gram].append(place)

    def invented(self) -> str:
        """A company name as in a register."""
        pick = self.chance.choice
        brand = pick(self.brands) if self.chance.random() < 0.35 else "".join(self._characters())
        trade = pick(self.trades) + (pick(self.trades) if self.chance.random() < 0.35 else "")
        where = (
            ""
            if self.chance.random() < 0.08
            else pick(self.places if self.chance.random() < 0.55 else self.short_places)
        )
        return where + brand + trade + pick(FORMS)

    def _characters(self) -> list[str]:
        return self.chance.sample(self.characters, 2 if self.chance.random() < 0.8 else 3)

    def neighbours(self, name: str, most: int, heads: int = 0) -> list[str]:
        """Other names that a search would return, closest first; also `heads` groups it may seem to belong to."""
        asked = [gram for gram in grams(anatomy(name)) if gram != STANDING]
        found = self._nearest(asked, most, 3000)
        found += self._nearest([of_head(gram) for gram in asked if is_pair(gram)], heads, 800)
        return [self.all[place] for place in dict.fromkeys(found) if self.all[place] != name]

    def _nearest(self, asked: Sequence[int], most: int, rows: int) -> list[int]:
        scores: dict[int, float] = defaultdict(float)
        looked_at = 0
        for gram in sorted(filter(self.having.__contains__, asked), key=lambda gram: len(self.having[gram])):
            those = self.having[gram]
            if looked_at and looked_at + len(those) > rows:
                break
            looked_at += len(those)
            for place in those:
                scores[place] += math.log(len(self.all) / len(those))
        return sorted(scores, key=lambda place: -scores[place] / (1 + 0.03 * len(self.all[place])))[:most]

    def misspelt(self, name: str) -> str:
        """The name with another character in the brand."""
        parts = anatomy(name)
        at = parts.brand_at + self.chance.randrange(len(parts.brand))
        return parts.core[:at] + self.chance.choice(self.characters) + parts.core[at + 1 :] + parts.form

    def namesake(self, name: str) -> str:
        """Another company with the same brand by chance: in another place or trade."""
        parts = anatomy(name)
        if parts.brand_at and self.chance.random() < 0.6:
            return self.chance.choice(self.places) + parts.core[parts.brand_at :] + parts.form
        return parts.core[: parts.brand_at] + parts.brand + self.chance.choice(self.trades) + parts.form

    def branch(self, name: str) -> str:
        where = self.chance.choice(self.short_places) if self.chance.random() < 0.8 else ""
        street = "".join(self._characters()[:2]) if self.chance.random() < 0.2 else ""
        return name + where + street + self.chance.choice(UNITS)

    def abbreviation(self, name: str) -> str | None:
        """The first characters of words, and the last of the last word: 经济建设委员会, 经建会."""
        core, chance = anatomy(name).core, self.chance
        if not (5 <= len(core) <= 16 and all(map(is_han, core))):
            return None
        words = []
        at = 0
        while at < len(core):
            step = 2 if chance.random() < 0.8 else chance.choice((1, 3))
            words.append(core[at : at + step])
            at += step
        *middle, end = words
        kept = sorted(chance.sample(range(len(middle)), chance.randint(1, min(3, len(middle)))))
        short = "".join(middle[place][0] if chance.random() < 0.8 else middle[place] for place in kept)
        short += chance.choice((end[-1], end[-1], end[0], end))
        return short if 2 <= len(short) < len(core) - 1 else None

    def renamed(self, name: str) -> str | None:
        """A new name that keeps an unusual brand: without the place, with another trade or legal form."""
        parts, chance = anatomy(name), self.chance
        rare = len(parts.brand) > 2 or any(rarity(character) > 9.3 for character in parts.brand)
        if not (parts.form and parts.trade and len(parts.brand) < 5 and rare):
            return None
        where = chance.choice(
            (parts.core[: parts.brand_at], parts.core[: parts.brand_at], "", chance.choice(self.short_places))
        )
        words = [parts.trade[at : at + 2] for at in range(0, len(parts.trade), 2)]
        if chance.random() < 0.5:
            at = chance.randrange(len(words))
            words[at : at + 1] = [chance.choice(self.trades)] if chance.random() < 0.5 else []
        trade = "".join(words) + ("集团" if chance.random() < 0.25 else "")
        return where + parts.brand + trade + chance.choice(("股份有限公司", parts.form))


def examples(data: Data, names: Names) -> Iterator[Example]:
    """All training examples."""
    chance = names.chance
    for record in data.of("retrieve"):
        if record["src"] in SOURCES and record["track"] == "main":
            yield from _of_query(record, names)
    for record in data.of("pair"):
        if record["src"] in SOURCES and record["track"] == "main":
            left, right = record["a"], record["b"]
            entity = names.owner.get(right) or names.owner.get(left) or left
            yield Example(left, right, record["label"] != "unrelated", entity, 1.0)
    full = [*chance.sample(names.made_up, 6000), *chance.sample(names.chinese, 3000)]
    for name in full:
        if (near := names.misspelt(name)) != name:
            yield Example(near, name, False, names.owner.get(name, name), 0.6)
            yield from _unrelated(near, name, names, 0.3)
        if (right := names.namesake(name)) != name:
            yield Example(right, name, False, names.owner.get(name, name), 0.5)
    for name in chance.sample(names.made_up, 4000):
        yield from _unrelated(name, name, names, 0.3)
    companies = [name for name in names.chinese if name.endswith("公司")]
    for name in [*chance.sample(names.made_up, 1500), *chance.sample(companies, 1500)]:
        branch = names.branch(name)
        yield Example(branch, name, True, names.owner.get(name, name), 1.0)
        yield from _unrelated(branch, name, names, 0.3)
        yield Example(branch, names.misspelt(name), False, names.owner.get(name, name), 0.6)
    for name in chance.sample(names.chinese, 4000):
        if short := names.abbreviation(name):
            yield Example(short, name, True, names.owner[name], 0.5)
            yield from _unrelated(short, name, names, 0.15)
    for name in names.chinese:
        if (later := names.renamed(name)) and later != name:
            yield Example(later, name, True, names.owner[name], 0.3)


def _of_query(record: Any, names: Names) -> Iterator[Example]:
    query, related = record["q"], record["relation"] != "same"
    for gold in record["gold"]:
        if any(map(is_han, gold)) == any(map(is_han, query)):
            yield Example(query, gold, True, record["eid"], 1.0)
    if not related:
        for other in names.neighbours(query, 8, 2):
            mine = other in record["gold"] or names.owner.get(other) == record["eid"]
            if not mine and not _may_stand_for(query, other):
                yield Example(query, other, False, record["eid"], 0.35)


def _unrelated(query: str, name: str, names: Names, weight: float) -> Iterator[Example]:
    """Negative examples: the names other than `name` that a search for `query` would return."""
    entity = names.owner.get(name, name)
    for other in names.neighbours(query, 5, 3):
        mine = other == name or (other in names.owner and names.owner[other] == entity)
        if not mine and not _may_stand_for(query, other):
            yield Example(query, other, False, entity, weight)


def _may_stand_for(query: str, name: str) -> bool:
    """Whether the short name `query` may stand for `name`: then who is meant is unclear, and nothing can be learned."""
    asked = anatomy(query)
    return asked.short and LCSseq.similarity(asked.core, anatomy(name).core) == len(asked.core)


def fold(entity: str) -> int:
    """The fold of an entity; all its examples are in the same fold."""
    return crc32(entity.encode()) % FOLDS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="records with known truth, their neighbours beside them")
    parser.add_argument(
        "--folds", type=Path, help="keep the model of each fold here, to judge it by what it has not seen"
    )
    wanted = parser.parse_args()
    data = Data.read(wanted.file)
    learned = list(examples(data, Names(data, random.Random(11))))
    kinds = Counter(example.kin for example in learned)
    print(f"{kinds[True]} examples of one company or group, {kinds[False]} of two", file=sys.stderr)
    rows = [features(anatomy(example.asked), anatomy(example.other)) for example in learned]
    folds = [fold(example.entity) for example in learned]
    models = [
        _learn(learned, rows, [place for place, of in enumerate(folds) if of != number]) for number in range(FOLDS)
    ]
    _tell(data, models)
    if wanted.folds:
        for number, model in enumerate(models):
            _keep(model, wanted.folds / f"fold{number}.json")
    _keep(_learn(learned, rows, range(len(rows))), MODEL_FILE)


def _learn(learned: Sequence[Example], rows: Sequence[Sequence[float]], chosen: Sequence[int]) -> Any:
    import numpy
    from lightgbm import LGBMClassifier

    model = LGBMClassifier(
        n_estimators=TREES,
        num_leaves=LEAVES,
        learning_rate=PACE,
        min_child_samples=20,
        verbose=-1,
        n_jobs=1,
        random_state=1,
        deterministic=True,
        force_row_wise=True,
    )
    model.fit(
        numpy.array([rows[place] for place in chosen]),
        numpy.array([int(learned[place].kin) for place in chosen]),
        sample_weight=numpy.array([learned[place].weight for place in chosen]),
    )
    return model


def _tell(data: Data, models: Sequence[Any]) -> None:
    """F1 on pairs, each judged by the model that has not seen its entity."""
    import numpy

    owner = {name: entity["eid"] for entity in data.entities for name in entity["names"]}
    records = [record for record in data.of("pair") if record["track"] == "main"]
    said = []
    for record in records:
        model = models[fold(owner.get(record["b"]) or owner.get(record["a"]) or record["a"])]
        row = features(anatomy(record["a"]), anatomy(record["b"]))
        said.append(float(model.predict_proba(numpy.array([row]))[0, 1]))
    true = [record["label"] != "unrelated" for record in records]
    for bound in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7):
        hits = sum(score >= bound and truth for score, truth in zip(said, true, strict=True))
        f1 = 2 * hits / (sum(score >= bound for score in said) + sum(true))
        print(f"F1 at {bound}: {100 * f1:.2f}")
    wrong = Counter(r["type"] for r, s, t in zip(records, said, true, strict=True) if (s >= 0.4) != t)
    print("wrong at 0.4: " + ", ".join(f"{kind} {count}" for kind, count in sorted(wrong.items())))


def _keep(model: Any, file: Path) -> None:
    trees = [_node(tree["tree_structure"]) for tree in model.booster_.dump_model()["tree_info"]]
    kept = {"features": FEATURES, "trees": trees}
    file.write_text(json.dumps(kept, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")


def _node(kept: Any) -> Any:
    if "leaf_value" in kept:
        return round(kept["leaf_value"], 5)
    bound = float(f"{kept['threshold']:.6g}")
    return [kept["split_feature"], bound, _node(kept["left_child"]), _node(kept["right_child"])]


if __name__ == "__main__":
    main()
