"""What the text workloads ask, copy and extract.

Owns: the texts, all made up. Must not know: how they are used.
"""

from __future__ import annotations

from typing import Any

# Words as they stand on a poster; 300 characters and some more.
TRANSCRIPT = (
    "山野茶铺开业三周年庆，感谢每一位老朋友的陪伴。即日起至六月十八日，全场乌龙、白茶、普洱满二百减三十，满四百减八十，"
    "可与会员折扣同时使用。招牌炭焙铁观音二百五十克原价一百六十八元，现价九十九元，每人限购两罐，售完即止。"
    "到店消费满九十九元送手工桂花糕一份，数量有限，先到先得。新会员扫码注册立得二十元无门槛券，生日当月再送玻璃茶杯一只。"
    "试饮活动每天下午两点到五点，由老师傅现场冲泡并讲解挑茶、存茶的办法，欢迎带上家人朋友一起来坐坐。"
    "外地顾客可以拨打店里的电话预订，满一百五十元包邮，偏远地区另计。活动最终解释以店内公告为准，如有疑问请咨询当班店员。"
    "门店地址在青石桥南街十二号，地铁二号线北门站步行六分钟，营业时间早上九点到晚上九点半。"
)

# Prompts of different beginnings, so that none finds another one's prefix, and longer than a block of the cache.
TOPICS = (
    "奶茶店",
    "面包房",
    "水果摊",
    "书店",
    "花店",
    "健身房",
    "理发店",
    "火锅店",
    "宠物店",
    "洗衣店",
    "眼镜店",
    "文具店",
)
ABOUT = (
    "这家{topic}的海报写着全场八折，第二件半价，活动到月底，老板想知道顾客会不会觉得优惠力度不够，"
    "也担心海报上的小字没有人看，请你从一个普通顾客的角度说说看法，再给三条具体的修改建议，每条都要说明理由。"
)


# An answer of which each token is text that can be shown at once, which half a character cannot.
COUNT = "从零数到三百，用空格隔开。"
COUNTING = " ".join(map(str, range(301)))


def prompts(count: int) -> list[str]:
    """Give so many different prompts."""
    return [f"{i + 1}号，{topic}：" + ABOUT.format(topic=topic) for i, topic in enumerate(TOPICS[:count])]


def _text(max_length: int) -> dict[str, Any]:
    return {"type": ["string", "null"], "maxLength": max_length}


def _amount(kind: str) -> dict[str, Any]:
    """An amount of money or a count: never below zero in a post, as a discount is a field of its own."""
    return {"type": [kind, "null"], "minimum": 0}


_FIELDS: dict[str, dict[str, Any]] = {
    "shop_name": _text(20),
    "product_name": _text(30),
    "price": _amount("number"),
    "original_price": _amount("number"),
    "currency": {"enum": ["CNY", "USD", "HKD", None]},
    "discount": _text(30),
    "purchase_limit": _amount("integer"),
    "gift": _text(30),
    "valid_until": _text(20),
    "has_membership_offer": {"type": "boolean"},
    "phone": _text(20),
    "free_shipping_from": _amount("number"),
}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": _FIELDS,
    "required": list(_FIELDS),
    "additionalProperties": False,
}
# What a reader would fill in from the transcript: twelve fields, one of them not told.
RECORD: dict[str, Any] = {
    "shop_name": "山野茶铺",
    "product_name": "招牌炭焙铁观音二百五十克",
    "price": 99,
    "original_price": 168,
    "currency": "CNY",
    "discount": "满二百减三十，满四百减八十",
    "purchase_limit": 2,
    "gift": "手工桂花糕一份",
    "valid_until": "六月十八日",
    "has_membership_offer": True,
    "phone": None,
    "free_shipping_from": 150,
}
