"""Names of companies and projects that nobody takes for one another: the product looks for near ones (N3, P4)."""

from __future__ import annotations

import random
import uuid

_CHARACTERS = (
    "岚峻澜沐宸熙珩瑾睿煜霖骁翊泓淳屹恺晟朔棠枫桐椿楠榆槿汐洵渊湛溯漪澄濯灏炜烁焕燊爽玖珂珮琛琦琨瑜璇瓯畅皓盈"
    "砚祺稷穗筠箐粟纾绮缙羿翎聿芃苒茗荃莘菁萱葳蒙蓁蔚蕴薇藜虔蜀衡裕觅诚谦赫跃轩逸遥邕郁鄢酩钰铮锦镕闻阡隽雍霁霏靖"
)
_TRADES = (
    "粮油",
    "船舶",
    "乳业",
    "玻璃",
    "纺织",
    "航运",
    "水泥",
    "陶瓷",
    "家具",
    "印刷",
    "钢琴",
    "酒店",
    "种业",
    "光学",
)
_WORKS = (
    "机房改造",
    "存储扩容",
    "广播系统",
    "门禁",
    "云桌面",
    "无线覆盖",
    "数据治理",
    "呼叫中心",
    "安防监控",
    "财务系统",
)


def _distinct(length: int) -> str:
    return "".join(random.Random(uuid.uuid4().int).sample(_CHARACTERS, length))


def company_name() -> str:
    """A company that no other test has."""
    return f"{_distinct(4)}{random.choice(_TRADES)}有限公司"


def project_name() -> str:
    """A project that no other test has."""
    return f"{_distinct(6)}{random.choice(_WORKS)}"
