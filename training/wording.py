"""What the miniature's cards say and how they are asked about: labels, goods, questions, answers for absent things.

Owns: lists. Must not know: amounts, drawing, tokens.
"""

from __future__ import annotations

from bench.cards import words

ABSENT = "图中没有"
HAS, HAS_NOT = "有", "没有"

COLOURS: dict[str, tuple[int, int, int]] = {
    "白色": (248, 247, 245),
    "灰色": (150, 150, 152),
    "黑色": (28, 28, 30),
    "红色": (205, 40, 42),
    "橙色": (240, 140, 35),
    "黄色": (245, 220, 70),
    "绿色": (60, 155, 80),
    "蓝色": (50, 100, 200),
    "紫色": (125, 65, 165),
    "粉色": (248, 185, 205),
}

PRICE_LABELS = ("特价", "现价", "活动价", "到手价", "券后价", "优惠价", "秒杀价", "团购价")
ORIGINAL_LABELS = ("原价", "市场价", "门市价", "专柜价", "划线价")
DATE_LABELS = ("", "活动", "时间", "日期", "限时")
PHONE_LABELS = ("电话", "热线", "手机", "咨询")
THRESHOLD_LABELS = ("", "", "限时", "会员", "全场", "每")
GIFT_LABELS = ("赠品", "赠", "送", "加赠", "下单送")
GOODS = words.GOODS
BRANDS = words.BRANDS
TITLES = words.TITLES
GIFTS = words.GIFTS
SHOPS = [brand + end for brand in words.BRANDS for end in words.SHOP_ENDS]
# Rows that hold nothing that is asked for; the numbers in some must not be taken for a price.
FILLERS = (
    "数量有限", "售完即止", "新鲜现做", "老顾客都说好吃", "现烤现卖", "一口就爱上的味道", "懂生活更懂你",
    "把春天带回家", "认真做好每一餐", "全场{n}折", "低至{n}折", "每人限购{n}件", "已售{n}万件",
    "第{n}件半价", "{n}件{n}折", "前{n}名",
    "规格{n}g", "{n}瓶装", "扫码下单", "到店自提", "门店通用", "不可叠加使用", "周末通用",
)  # fmt: skip

TRANSCRIBE = ("请提取图中所有文字", "提取图片中的文字", "图中写了什么？", "请识别图中的文字", "图里写了什么字？")
PRICE = ("价格是多少？", "现价是多少？", "多少钱？", "现在卖多少钱？")
ORIGINAL = ("原价是多少？", "原来多少钱？")
DATE = ("活动时间是什么时候？", "活动日期是哪天？", "什么时候有活动？")
PHONE = ("电话是多少？", "联系电话是什么？", "联系电话是多少？")
THRESHOLD = ("满减是多少？", "有什么满减？", "满多少减多少？")
GIFT = ("赠品是什么？", "送什么？")
GIFT_YES_NO = ("有赠品吗？", "有没有赠品？", "送不送赠品？")
COLOUR = ("背景是什么颜色？", "背景颜色是什么？")
LINE = ("第{n}行写了什么？", "第{n}行是什么？")
JSON_TWO = ("请用JSON输出价格和原价", "提取价格和原价，输出JSON")
JSON_FOUR = ("请用JSON输出价格、原价、时间、电话", "请提取价格、原价、时间和电话，输出JSON", "请用JSON输出活动信息")
FURTHER = {"price": "那现价呢？", "original_price": "那原价呢？", "date": "那时间呢？", "phone": "那电话呢？",
           "threshold": "那满减呢？", "gift": "那赠品呢？"}  # fmt: skip
