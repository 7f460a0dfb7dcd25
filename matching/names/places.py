"""Places at the beginning of names: provinces, cities, counties, from the administrative division codes."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

_ENTRY = re.compile(r'^(?:\d\d|  (\d\d)(\d\d)) (?:province|county)="([^"]+)"')
_WHEN = re.compile(r"\[[^\]]*\]")
_PEOPLES = tuple(
    """
蒙古 藏 哈萨克 回 维吾尔 壮 满 朝鲜 彝 傣 拉祜 佤 苗 土家 侗 布依 白 哈尼 羌 傈僳 景颇 瑶 水 仡佬 畲 黎 布朗
独龙 怒 纳西 普米 保安 东乡 撒拉 裕固 土 锡伯 塔吉克 柯尔克孜 达斡尔 鄂温克 鄂伦春 毛南 仫佬 各
""".split()
)
_LEVEL = re.compile(
    rf"(?:特别行政区|(?:(?:{'|'.join(_PEOPLES)})族|蒙古|哈萨克|维吾尔|柯尔克孜|塔吉克)*自治[州县旗区]"
    "|地区|林区|新区|矿区|省|市|县|区|盟|旗)$"
)
_ABROAD = tuple(
    """
中国 中华 中华人民共和国 内蒙古 香港 澳门 台湾 亚洲 亚太 国家 全国 华东 华南 华北 华中 西南 西北 东北 台北 台中
台南 高雄 新竹 桃园 日本 美国 新加坡
""".split()
)
"""Places in names that are not in the list of division codes."""


@cache
def places() -> frozenset[str]:
    """Names of places in simplified script, each also without its level (`浙江省`, `浙江`).

    A district (区) counts only with its level: `和平`, `朝阳` and `城关` are as often brands and streets.
    """
    found: set[str] = set(_ABROAD)
    # The list by which python-stdnum checks identity numbers.
    for line in (files("stdnum.cn") / "loc.dat").read_text(encoding="utf-8").splitlines():
        entry = _ENTRY.match(line)
        if not entry:
            continue
        _, county, names = entry.groups()
        for name in _WHEN.sub("", names).split(","):
            if len(name) < 2 or name in ("市辖区", "县级", "直辖"):
                continue
            found.add(name)
            short = _LEVEL.sub("", name)
            if len(short) >= 2 and not (county not in (None, "00") and name.endswith("区")):
                found.add(short)
    return frozenset(found)


PROVINCES = dict(
    zip(
        "京津沪渝冀晋辽吉黑苏浙皖闽赣鲁豫鄂湘粤琼川蜀贵黔云滇陕秦甘陇青蒙桂藏宁新港澳台",
        tuple(
            """
北京 天津 上海 重庆 河北 山西 辽宁 吉林 黑龙江 江苏 浙江 安徽 福建 江西 山东 河南 湖北 湖南 广东 海南 四川 四川
贵州 贵州 云南 云南 陕西 陕西 甘肃 甘肃 青海 内蒙古 广西 西藏 宁夏 新疆 香港 澳门 台湾
""".split()
        ),
        strict=True,
    )
)
"""Province by its one-character abbreviation."""

LONGEST = 12


def place_at(text: str, start: int) -> int:
    """The length of the place name that begins at `start` in `text`; 0 if there is none."""
    known = places()
    for length in range(min(LONGEST, len(text) - start), 1, -1):
        if text[start : start + length] in known:
            return length
    return 0
