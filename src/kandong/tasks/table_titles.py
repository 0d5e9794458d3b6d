"""Sheets, columns and fixed values of report tables in Chinese, for those who open them in Excel.

Owns: these words. Must not know: how sheets are made, files. The keys stay what programs read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from kandong.tasks.tables import Cell, Sheet

Language = Literal["en", "zh"]

_SHEETS: Final = {
    "read": "识字", "ask": "提问", "describe": "描述", "moderate": "审核", "sentiment": "情绪", "extract": "提取",
    "lines": "文字行", "numbers": "数字", "marks": "答案中的数字", "findings": "审核发现", "claims": "说法核对",
    "fields": "提取字段", "conflicts": "矛盾",
}  # fmt: skip
_COLUMNS: Final = {
    "post": "帖子", "status": "状态", "warnings": "提醒", "unchecked": "未检查", "ms": "用时（毫秒）",
    "text": "文字", "lines": "行数", "uncertain": "不确定行数", "disagreeing": "两次读法不同", "numbers": "数字",
    "codes": "二维码", "question": "问题", "answer": "回答", "verified": "数字核实", "unverified": "未核实的数字",
    "caption": "描述", "scene": "场景", "image_kind": "图片类型", "people_count": "人数", "objects": "物品",
    "brands": "品牌", "suggestion": "结论", "label": "类别", "sub_label": "子类", "score": "分数",
    "risk_level": "风险", "rules": "规则", "terms": "原词", "contradictions": "与商品信息不符",
    "missing_notices": "缺少的说明", "needs_proof": "需要证明", "polarity": "倾向", "relation": "图文关系",
    "claims": "说法", "aspects": "方面", "demand": "诉求", "urgency": "紧急程度", "sarcasm": "反讽迹象",
    "brand": "品牌", "products": "商品", "price": "现价", "list_price": "原价", "gifts": "赠品",
    "promotions": "优惠规则", "start": "开始", "end": "结束", "channel": "渠道", "conflicts": "矛盾",
    "quote": "原文", "source": "出处", "image_index": "图片序号（从0起）", "line_id": "行号",
    "box": "位置（左 上 右 下）", "conf": "置信度", "low_conf": "不确定", "model_text": "模型读法",
    "agree": "两次一致", "raw": "写法", "kind": "种类", "price_kind": "价格种类", "value": "数值", "unit": "单位",
    "verified_by": "核实方式", "is_struck": "划线", "state": "状态", "formula": "算式", "reason": "理由",
    "rule": "规则编号", "title": "规则", "law": "法规", "article": "条款", "penalty_article": "处罚条款",
    "certainty": "条文把握", "severity": "轻重", "suggest": "建议", "decided_by": "判断来源", "term": "词",
    "remedy": "改法或依据", "object": "对象", "expected": "应有", "observed": "所见", "coverage": "图片覆盖",
    "verdict": "核对结果", "field": "字段", "values": "各处数值",
}  # fmt: skip
# Of which column a value is one of a fixed few; all others are words of posts, rules and models, and stay as they are.
_VERDICTS: Final = {"pass": "通过", "review": "复核", "block": "拦截"}
_STATES: Final = {
    "ok": "完成", "partial": "部分完成", "failed": "未完成", "verified": "已核实", "single": "单一来源",
    "conflict": "有矛盾", "missing": "没有提到", "computed": "算出", "found": "图文中有", "unverified": "没有找到",
}  # fmt: skip
_LABELS: Final = {"Normal": "正常", "Ad": "广告", "Illegal": "违法", "Porn": "低俗", "Abuse": "辱骂"}
_SUB_LABELS: Final = {
    "absolute_terms": "绝对化用语", "alcohol": "酒类", "breast_milk_substitutes": "母乳代用品", "citations": "引用数据",
    "contact": "联系方式", "cosmetics_medical": "化妆品涉医疗", "cosmetics_registration": "化妆品注册备案",
    "disparagement": "贬低他人", "education": "教育培训", "false_claims": "虚假内容", "food_claims": "食品功效",
    "gambling": "赌博", "gift_notice": "赠品说明", "gift_price_notice": "赠品标示", "health_food": "保健食品",
    "insult": "辱骂", "investment": "投资理财", "medical": "医疗", "medical_claims": "医疗功效",
    "medical_notice": "医疗提示", "patents": "专利", "prescription_drugs": "处方药", "price_arithmetic": "价格计算",
    "qr_code": "二维码", "real_estate": "房地产", "reference_price": "比较价格", "solicitation": "色情招揽",
    "state_organs": "国家机关", "superstition": "封建迷信", "tobacco": "烟草", "unmarked_advertising": "未标明广告",
    "well_known_trademark": "驰名商标",
}  # fmt: skip
_VALUES: Final[dict[str, dict[str, str]]] = {
    "suggestion": _VERDICTS,
    "label": _LABELS,
    "sub_label": _SUB_LABELS,
    "suggest": _VERDICTS,
    "status": _STATES,
    "state": _STATES,
    "polarity": {"positive": "正面", "neutral": "中性", "negative": "负面", "mixed": "有褒有贬"},
    "severity": {"low": "轻", "medium": "中", "high": "重"},
    "risk_level": {"none": "无", "low": "低", "medium": "中", "high": "高"},
    "decided_by": {"rule": "规则", "model": "模型，待确认", "both": "规则与模型"},
    "source": {"image_text": "图中文字", "post_text": "帖子文字", "comment": "评论", "image": "图片"},
}
_FINDING_KINDS: Final = {
    "hits": "违规", "missing_notices": "缺少说明", "needs_proof": "需要证明", "arithmetic": "算不对",
    "exempted": "合法例外", "suspected_instructions": "像给模型的指令",
}  # fmt: skip


def titled(sheets: Sequence[Sheet], language: Language) -> list[Sheet]:
    """Give sheets with titles, columns and fixed values in a language; columns of a caller's own schema stay."""
    if language == "en":
        return list(sheets)
    return [_in_chinese(*sheet) for sheet in sheets]


def _in_chinese(title: str, columns: tuple[str, ...], rows: list[list[Cell]]) -> Sheet:
    words = [_VALUES.get(column, {}) for column in columns]
    if title == "findings":
        words[columns.index("kind")] = _FINDING_KINDS
    body = [[_value(cell, own) for cell, own in zip(row, words, strict=True)] for row in rows]
    return _SHEETS.get(title, title), tuple(_COLUMNS.get(column, column) for column in columns), body


def _value(cell: Cell, words: dict[str, str]) -> Cell:
    if isinstance(cell, bool):
        return "是" if cell else "否"
    return words.get(cell, cell) if isinstance(cell, str) else cell
