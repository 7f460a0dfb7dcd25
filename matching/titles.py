"""The parts of a project title: subject, lot, phase and kind of contract, without filler words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from rapidfuzz.distance import LCSseq

from matching.names.script import fold

MOST = 300
"""Maximum number of characters considered."""

_NUMBER = r"(?:[一二三四五六七八九十]{1,3}|[0-9]{1,3}|[a-z])"
_ROUND = re.compile(
    rf"第?{_NUMBER}(?:次|轮)(?:招标|采购|询比|公告)?|重新(?:招标|采购|询比)|再次|重招|流标后|变更|更正|澄清|\(二次\)|二次(?=公告|采购|$)"
)
_CALLED = re.compile(r"^(?:关于)?(?:公开)?(?:征集|征求)?(?:关于)?|^[一-龥]{2,4}(?=征集)")
_NOTICE = re.compile(
    "(?:的)?(?:相关)?(?:采购)?技术规范.*?(?:意见)?(?:征集)?的?公告$|(?:的)?(?:招标|采购|询比|比选|竞价|询价|谈判|磋商|资格|中标|成交|成交候选|候选|结果|意见|预|公开|直接|单一来源|"
    "供应商|信息|候选人|\\(比选\\)|_|-)*(?:公告|公示|预公示|预公告|公告书|通知)$"
)
_LOT = re.compile(
    rf"(?:第?{_NUMBER}标段|标段{_NUMBER}|标包{_NUMBER}|第?{_NUMBER}标包|包{_NUMBER}(?![0-9])|第{_NUMBER}包|{_NUMBER}标(?![准识]))"
)
_PHASE = re.compile(rf"(?:第?{_NUMBER}(?:期|批)|第{_NUMBER}阶段)")
_CONTRACT = re.compile(
    "(?:工程总承包|总承包|epc|施工图设计|监理|施工|勘察|勘测|设计|检测|造价咨询|造价|全过程咨询|跟踪审计|设备采购|采购及安装|安装)"
    "(?:服务|工程)?(?:项目)?(?:采购)?$"
)
_FILLER = re.compile(
    "采购项目|采购|项目|工程|建设|服务|集中|框架|公开|直接|招标|询比|比选|年度|年至|年|的|及|与|和|等|约|全省"
)
_NOT_WORD = re.compile(r"[^\w]+|_")


@dataclass(frozen=True, slots=True)
class Title:
    """A title parsed into parts."""

    subject: str
    """The subject, without words that every title has."""
    part: tuple[str, ...]
    """Lot, phase and kind of contract."""


@lru_cache(maxsize=4096)
def title(name: str) -> Title:
    """Parse a title. Never raises; bounded time."""
    text = re.sub(r"\s+", "", fold(name[: 2 * MOST]))[:MOST]
    text = _CALLED.sub("", text)
    text = _ROUND.sub("", text)
    text = _NOTICE.sub("", text.rstrip("()（）"))
    text = _NOTICE.sub("", _NOT_WORD.sub("", text))
    lots = tuple(_digits(found) for found in _LOT.findall(text))
    text = _LOT.sub("", text)
    phases = tuple(_digits(found) for found in _PHASE.findall(text))
    text = _PHASE.sub("", text)
    contracts: list[str] = []
    while (contract := _CONTRACT.search(text)) and contract.start():
        contracts.append(contract.group())
        text = text[: contract.start()]
    text = _FILLER.sub("", text) or text
    return Title(subject=text, part=(*lots, "|", *phases, "|", *contracts))


_DIGITS = dict(zip("一二三四五六七八九", "123456789", strict=True))


def _digits(found: str) -> str:
    return "".join(_DIGITS.get(character, character) for character in found)


def nearness(left: str, right: str) -> float:
    """Similarity of two subjects, from 0 to 1; a different number or a longer difference weighs more."""
    if not left or not right:
        return float(left == right)
    longest = 0
    apart = 0
    for op in LCSseq.opcodes(left, right):
        if op.tag != "equal":
            size = max(op.src_end - op.src_start, op.dest_end - op.dest_start)
            longest = max(longest, size)
            apart += size
    return max(0.0, 1 - 2 * (apart + longest) / (len(left) + len(right)))
