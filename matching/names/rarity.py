"""How rare a character is in company names: the rarer the shared characters, the more they count."""

from __future__ import annotations

from math import log2

BY_FREQUENCY = (
    "公司有限股份技科集团国业控中学电江大海工新院东北医州华京际市能术生药上南子广材深信物苏圳源实化安金天浙料西通山发家重光建达资智力研机联究环泰康高创验德室精展合湖制点投设保宁省程成品气利方阳和美港瑞动息"
    "理车亚台开福装兴特长龙产杭备疗地云川务林人汽密企讯商三心银行石尔城健数宏博波汉万四民宝微农徽网恒械盛河威路器庆都明体会传服食普富基育丰星与立航维邦计香件永嘉洋文津水武元统油用青百局师铁无钢融湾门汇管范"
    "媒润交自教鼎世一境厦锡远连乐飞造全佳第岛同软宇系太证凯运所属区荣空正隆流思晶职珠顺酒捷神斯迪券吉经赛矿旅视卫胜升络九绿应益部原英陕贵鸿森日奥鑫诺园时道友冠昌测锦疆内事易复球导军丽聚进常古洲字居克塑滨欣"
    "雅伟曼芯马茂惠财纪筑超爱厅蒙游哈亿莱慧半格店煤扬田诚委员平强速春盈肥济众防凌附热唐双蓝具圣兰首饰得活缆巨辉迈线先昆辰态沈弘本黄士燃彩裕旭虹藏轮种风纤越尚贝纳恩奇族包禾桥船脑解社致口泥界红莞峰辽货豪仁鹏"
    "翔腾欧澳锐雷来泉检悦划代放振码菱夏拓温清纸链图艺据勤政总治出意宜白节铝王织土承景硕命花齐杰松比朗质牧小优外营旺量贸色照浦震纺鲁核桂洁铭因娱置雄分仪激艾零皇作供黑洛五象型好房谷印二互声祥村浩志协晋责任庄"
    "阿峡播模罗木影烟徐加共可米护晟算舶规多厂再池胶佛甘粤希望味柏准然久卓雪表兆伦亨义矽法版输及病沙申派压租映火名铜宾液六客陆磁脉氏知仕记真君帝纬标试瀚饮险群玻赁张泽钛圆麦潮肃郑央千湘菲帆沃极为刷迅丝轴未登"
    "锋泓头刚翰玛之晨邮府钰睿碁关综植级障侨场床向焦镇音稀秀劲期鹰横拉积结想丹八璃良接昂策性盟灿卡果眼沪养倍勘月坤淮位佰耀略潍渤箭托孚胎启塔询咨盐轻摩乡浪沧闽锁血誉配锂储老岩七领顶伊熊炭橡堂预固县察回尼必下"
    "冷里端赣定骏面碳移芳寿轩细轨泛至竹疾官组采颖"
)
"""Characters of names, most frequent first, counted in lists of listed companies and research organisations."""

_RARITY = {character: log2(place + 2) for place, character in enumerate(BY_FREQUENCY)}
_RAREST = log2(len(BY_FREQUENCY) + 2) + 1


def rarity(character: str) -> float:
    """From 1 for the most frequent character of names to 12 for one that hardly any name contains."""
    return _RARITY.get(character, _RAREST)
