"""Texts as people write them, with the numbers that are in them.

A row is a text, then its numbers: kind, canonical value, unit or kind of price; ``?`` ends an uncertain one.
"""

from __future__ import annotations

PRICES = """
￥39.9 | price 39.9
¥199 | price 199
￥ 1,299 | price 1299
￥1,299.50 | price 1299.5
１９９元 | price 199
￥３９．９ | price 39.9
39元 | price 39
39块 | price 39
39块钱 | price 39
9块9 | price 9.9
九块九 | price 9.9
两块五 | price 2.5
一百九十九元 | price 199
两千三元 | price 2300
二十万元 | price 200000
1.2万元 | price 12000
3亿元 | price 300000000
99元起 | price 99 from
￥88起 | price 88 from
39-59元 | price 39/59
￥39~￥59 | price 39/59
¥39-59 | price 39/59
100至200元 | price 100/200
原价399元 | price 399 original
原价￥399 | price 399 original
原价：￥399 | price 399 original
划线价￥1299 | price 1299 original
市场价 599元 | price 599 original
专柜价:￥880 | price 880 original
吊牌价899元 | price 899 original
定金50元 | price 50 deposit
订金：￥100 | price 100 deposit
会员价￥29.9 | price 29.9 member
PLUS会员价：88元 | price 88 member
到手价￥79 | price 79 final
券后价59.9元 | price 59.9 final
券后￥59 | price 59 final
到手仅￥99 | price 99 final
现价128元 | price 128 current
特价：85元 | price 85 current
活动价￥39 | price 39 current
团购价68元 | price 68 current
领20元优惠券 | price 20 coupon
50元无门槛券 | price 50 coupon
100元代金券 | price 100 coupon
10元红包 | price 10 coupon
5元券 | price 5 coupon
US$19.99 | price 19.99
HK$388 | price 388
100美元 | price 100
€25 | price 25
RMB 380 | price 380
原价399元，现价199元 | price 399 original ; price 199 current
原价￥399 现价￥199 | price 399 original ; price 199 current
原价120，特价85元 | price 120 original ; price 85 current
特价39 | price 39 current
定金50 | price 50 deposit
仅需99 | price 99 ?
5毛钱 | price 0.5
满88元赠杯子 | price 88
一元秒杀 | price 1
价格0元 | price 0 current
单价3.50元 | price 3.5 current
最高减100元 | price 100 saving
28元一碗 | price 28
￥399-￥199 | price 399/199 ?
十块零五毛 | price 10 ?
15块一碗 | price 15
9元9 | price 9.9
5元一瓶 | price 5 ; qty 1 瓶 ?
日常售价￥899 | price 899 original
28元一块 | price 28 ; price 1 ?
送抹布1块 | price 1 ?
原价298现价198 | price 298 original ; price 198 current
定价200元 | price 200 original
券前129元 | price 129 original
最低成交价499元 | price 499
立减100元 | price 100 saving
立省￥50 | price 50 saving
直降300 | price 300 saving
预售价￥299 | price 299 current
起送价20元 | price 20
每斤9.9 | price 9.9 ?
￥1,29 | price 1 ?
￥1 ,299 | price 1 ?
￥ 39 .9 | price 39 ?
¥ 3 9 | price 3 ?
39。9元 | price 9 ?
3 9.9元 | price 9.9 ?
￥39，299元换购 | price 39299 ?
￥39.9 500ml | price 39.9 ; qty 500 ml
低至9.9元 | price 9.9
11.11元 | price 11.11
¥11.11 | price 11.11
6.18元 | price 6.18
99包邮 | price 99
满99包邮 | price 99
送价值99元礼品 | price 99
"""

OFFERS = """
满300减50 | offer 300-50
满300元减50元 | offer 300-50
每满300减50 | offer 300-50
每满300减50，上不封顶 | offer 300-50
满１００减２０ | offer 100-20
满三百减五十 | offer 300-50
满300立减50 | offer 300-50
满￥300减￥50 | offer 300-50
满1千减100 | offer 1000-100
满300返50元券 | offer 300>50
满200送30元 | offer 200>30
满99.9减9.9 | offer 99.9-9.9
满100减120 | offer 100-120 ?
满300-50 | offer 300-50
满200打8折 | offer 200:8折
充500送100 | offer 500>100
充值1000元送200元 | offer 1000>200
定金50抵100 | offer 50=100
定金100元抵200元 | offer 100=200
买100送50 | offer 100+50 ?
买5免1 | offer 4+1
买4付3 | offer 3+1
拍1发3 | offer 1+2
第二支半价 | offer 2:5折
百分之三点五 | pct 3.5
2件9折3件8折 | offer 2:9折 ; offer 3:8折
满100减10，满200减30 | offer 100-10 ; offer 200-30
买一送一 | offer 1+1
买1送1 | offer 1+1
买3送1 | offer 3+1
买二赠一 | offer 2+1
买两件送一件 | offer 2+1
买10送3 | offer 10+3
第二件半价 | offer 2:5折
第2件半价 | offer 2:5折
第二杯半价 | offer 2:5折
第2件5折 | offer 2:5折
第二件0元 | offer 2:0元
第二件1元 | offer 2:1元
第3件免费 | offer 3:0元
第二件仅需9.9元 | offer 2:9.9元
3件8折 | offer 3:8折
两件九折 | offer 2:9折
满3件打7折 | offer 3:7折
2件85折 | offer 2:8.5折
满200元打8折 | offer 200:8折
8.5折 | discount 8.5
85折 | discount 8.5
五折 | discount 5
八五折 | discount 8.5
八点五折 | discount 8.5
８．５折 | discount 8.5
5折起 | discount 5
3-5折 | discount 3/5
对折 | discount 5
全场低至3折 | discount 3
95% | pct 95
95％ | pct 95
99.9% | pct 99.9
50%-70% | pct 50/70
百分之九十五 | pct 95
棉含量80%，涤纶20% | pct 80 ; pct 20
"""

DATES = """
2026年6月1日 | date 2026-06-01
2026年6月1日-6月18日 | date 2026-06-01/2026-06-18
2026年6月1日至2027年1月2日 | date 2026-06-01/2027-01-02
2026年12月30日—2027年1月2日 | date 2026-12-30/2027-01-02
6月1日-18日 | date --06-01/--06-18
6月1日至6月18日 | date --06-01/--06-18
6月1-18日 | date --06-01/--06-18
6.1-6.18 | date --06-01/--06-18
活动时间6.1-6.18 | date --06-01/--06-18
6/1-6/18 | date --06-01/--06-18
11月11日 | date --11-11
11月11号 | date --11-11
11月11日0点 | date --11-11 ; time 00:00
２０２６年６月１日 | date 2026-06-01
2026-06-01 | date 2026-06-01
2026/6/1 | date 2026-06-01
2026.6.1 | date 2026-06-01
2026.6.1-6.18 | date 2026-06-01/2026-06-18
2026.06.01-2026.06.18 | date 2026-06-01/2026-06-18
即日起至6月30日 | date ../--06-30
即日起至2026年6月30日 | date ../2026-06-30
截至2026年6月30日 | date 2026-06-30
十一月十一日 | date --11-11
二〇二六年六月一日 | date 2026-06-01
六月十八日 | date --06-18
2月30日 | date --02-30 ?
2026年 | date 2026
2026年6月 | date 2026-06
1-3月 | date --01/--03
1月-3月 | date --01/--03
10月31日20点至11月11日24点 | date --10-31 ; time 20:00 ; date --11-11 ; time 24:00
6月底 | date --06
双11 | date --11-11
双十一大促 | date --11-11
双12 | date --12-12
618大促 | date --06-18
11.11 | date --11-11 ?
截止6.18 | date --06-18
20:00 | time 20:00
20：00 | time 20:00
9:30-22:00 | time 09:30/22:00
营业时间：10:00-22:00 | time 10:00/22:00
晚上8点 | time 20:00
下午3点半 | time 15:30
晚8点开抢 | time 20:00
上午九点到下午五点 | time 09:00/17:00
凌晨一点 | time 01:00
10点开抢 | time 10:00
今晚20:00准时开始 | time 20:00
12:30:45 | time 12:30
6月18日20:00 | date --06-18 ; time 20:00
"""

CONTACTS = """
13800138000 | phone 13800138000
138 0013 8000 | phone 13800138000
138-0013-8000 | phone 13800138000
电话：１３８００１３８０００ | phone 13800138000
+86 13800138000 | phone 13800138000
400-820-8820 | phone 4008208820
400 8208 820 | phone 4008208820
4008208820 | phone 4008208820
800-810-1234 | phone 8008101234
010-62345678 | phone 01062345678
0571-87654321 | phone 057187654321
(021)61234567 | phone 02161234567
微信：abc12345 | wechat abc12345
微信号:hello_2026 | wechat hello_2026
vx：kd8899kd | wechat kd8899kd
VX kd8899kd | wechat kd8899kd
加V：kd8899kd | wechat kd8899kd
V：kd8899kd | wechat kd8899kd
➕V kd8899kd | wechat kd8899kd
➕薇 kd8899kd | wechat kd8899kd
薇信：kd8899kd | wechat kd8899kd
加微信13800138000 | wechat 13800138000
wx:shop_abc | wechat shop_abc
QQ：123456789 | qq 123456789
qq群12345678 | qq 12345678
扣扣 1234567 | qq 1234567
Tel:021-6123 4567 | phone 02161234567
客服电话：95588 | phone 95588
举报电话12315 | phone 12315
热线：62345678 | phone 62345678
薇❤kd8899kd | wechat kd8899kd ?
Q群：123456789 | qq 123456789
国药准字Z20123456 | id 国药准字Z20123456
国妆特字G20201234 | id 国妆特字G20201234
京ICP备12345678号 | id 12345678
订单号：202606011234567 | id 202606011234567
快递单号SF1234567890 | id SF1234567890
货号：AB-10086 | id AB-10086
6901234567892 | id 6901234567892 ?
"""

QUANTITIES = """
3件 | qty 3 件
500ml | qty 500 ml
500ML | qty 500 ML
1.5L | qty 1.5 L
2盒装 | qty 2 盒
1.2万人 | qty 12000 人
1.2万 | qty 12000
已售1.2万+ | qty 12000
10w+ | qty 100000
500ml×2瓶 | qty 500 ml ; qty 2 瓶
30g*5袋 | qty 30 g ; qty 5 袋
三件 | qty 3 件
两瓶 | qty 2 瓶
十二个月 | qty 12 个月
前100名 | qty 100 名
限购2件 | qty 2 件
2-3人 | qty 2/3 人
4.8分 | qty 4.8 分
30天 | qty 30 天
3小时 | qty 3 小时
100㎡ | qty 100 ㎡
１０片 | qty 10 片
周一至周五 10:00-18:00 | time 10:00/18:00
约500克 | qty 500 克
5公斤 | qty 5 公斤
满18-60岁均可 | qty 18/60 岁
月销1000+ | qty 1000
12期免息 | qty 12 期
48h内发货 | qty 48 h
16GB+512GB | qty 16 GB ; qty 512 GB
两斤半 | qty 2.5 斤
三个半小时 | qty 3.5 小时
零下18℃ | qty -18 ℃
-18℃ | qty -18 ℃
200mAh | qty 200 mAh
二十斤 | qty 20 斤
双人餐2份 | qty 2 份
一瓶 | qty 1 瓶 ?
"""


def rows(block: str) -> list[tuple[str, list[str]]]:
    """Split a block into texts and their numbers."""
    listed = []
    for line in block.strip("\n").splitlines():
        text, _, numbers = line.partition(" | ")
        listed.append((text, [n.strip() for n in numbers.split(" ; ")] if numbers else []))
    return listed


CASES = [row for block in (PRICES, OFFERS, DATES, CONTACTS, QUANTITIES) for row in rows(block)]
