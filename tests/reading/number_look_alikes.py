"""Texts that look as if they had numbers of interest in them, a row each; none has."""

from __future__ import annotations

INNOCENT = """
一定
万一
第一
三八节
统一
一样
一起来
千万别买
十分好吃
百分百真心
微信
微信支付
加微信
关注微信公众号
QQ音乐
五花八门
三心二意
七上八下
九牛一毛
百折不挠
折叠椅
打折
不打折
元宵节
元旦快乐
一次就好
一个人的晚餐
四川火锅
九寨沟
百度一下
v1.2.3
版本2.0.1
192.168.1.1
第3名
第一名
第十届
NO.1
iPhone 15
五一小长假
十一黄金周
半价
买它
送礼
满意
满满的爱
好了一点
http://example.com/p/12345678901
几十元
数百元
三周年庆
3周年庆
5G手机
2026新款
三人行
一元复始
一块儿去
客服1对1
邮编310000
微信搜索
今天天气不错
2.5
A4
文三路66号
B站
1对1
5G手机
2025款
几十元
数百元
第二天
九九新
一一对应
五香
六神
万达广场
千岛湖
八宝粥
三亚
亿万
两全其美
一键下单
好评如潮

。
"""

INNOCENT_TEXTS = INNOCENT.strip("\n").splitlines()
