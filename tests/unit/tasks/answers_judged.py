"""What is wrong with an answer, each problem with its words in both languages."""

from typing import Any

from hypothesis import strategies as st

from domain.tasks.answer_fields import answer_problems
from domain.tasks.task import Choice
from texts.catalogue import Texts

MEETING: dict[str, Any] = {
    "starts_at": "2026-12-01T09:30:00+08:00",
    "duration_minutes": 90,
    "place": "总部三楼会议室",
    "participants": ["liu.yang", "zhang.wei"],
    "note": "",
}
SPLIT: list[Any] = [{"person": "yang.fan", "percent": "60"}, {"person": "xu.jing", "percent": "40"}]
IN_BOTH = (Texts("zh"), Texts("en"))

Found = list[tuple[str, str]]


def problems(choices: tuple[Choice, ...], choice: str, fields: dict[str, Any], reason: str = "") -> Found:
    found = answer_problems(choices, choice=choice, reason=reason, fields=fields)
    for problem in found:  # X4: whatever is wrong is said in both languages, with its figures
        for texts in IN_BOTH:
            said = texts.error(problem.key, problem.params)
            assert said
            assert said != texts.error("invalid")
            assert "{" not in said
    return [(problem.field, problem.key) for problem in found]


# What is taken here is never refused later

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
