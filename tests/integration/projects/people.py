"""Who takes part in registrations of the sample company, by their part."""

from domain.projects.project import Resumption

FAN, LEI, MIN = "yang.fan", "huang.lei", "zhou.min"
"""Salespeople of 北方区: its general manager is 赵磊, its VP 李明."""
JING = "xu.jing"
"""Of 华东区: 陈静, 王芳."""
TAO = "guo.tao"
"""Of 金融行业部: David Brown, 李明."""
NORTH_GM, EAST_GM, FINANCE_GM = "zhao.lei", "chen.jing", "david.brown"
NORTH_VP, EAST_VP, EAST_VPS_DELEGATE = "li.ming", "wang.fang", "sun.li"
GENERAL_MANAGER, COMMERCE, CLERK, OTHER_CLERK = "zhang.wei", "lin.xia", "gao.yuan", "anna.miller"
PRODUCTS = ("peter.wong", "tang.bo")
WHY = Resumption(why_silent="客户机构调整，半年没有进展", why_resume="预算已恢复")
