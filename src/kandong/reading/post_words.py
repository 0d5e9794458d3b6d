"""Words of posts and shops that jieba's list of newspaper words lacks or counts as rare.

Owns: the list. Must not know: how words are weighed. Written from what posts, shops and platforms call things; none
is longer than five characters, as longer ones would be sentences learned by heart.
"""

from __future__ import annotations

from typing import Final

_WORDS: Final = """
微信 微信号 加微信 微信群 公众号 小程序 视频号 支付宝 淘宝 天猫 京东 拼多多 抖音 快手 小红书 微博
闲鱼 美团 朋友圈 私信 关注 点赞 收藏 转发 评论区 置顶 直播间 主播 粉丝 带货 种草 拔草 测评 打卡
探店 安利 博主 达人 券后价 到手价 活动价 会员价 秒杀价 拼团价 优惠券 优惠价 特惠 折扣 满减 立减
包邮 免邮 预售 秒杀 拼团 团购 限购 限时 限量 限领 开抢 抢购 售罄 售完 售完即止 即止 先到先得
定金 订金 尾款 领券 用券 下单 加购 凑单 退换 退款 换货 售后 客服 现货 补货 上新 新品 爆款 正品
旗舰店 专卖店 专营店 门店 店内 本店 到店 堂食 外卖 自提 配送 配送费 快递 发货 运费 运费险 赠品
小样 试用 试用装 体验装 礼盒 套装 套餐 代金券 抵用券 储值 充值 会员 积分 买一送一 第二件 半价
解释权 仅供参考 叠加使用 有效期 保质期 生产日期 营业时间 预约 预订 须知 提前预约 咨询 热线 客服电话
地址 节假日 周末 通用 无理由 退换货 未成年人 监护人 陪同 孕妇 慎用 过敏 遵医嘱 说明书 小票 发票
含税 不含 转账 扫码 二维码 添加 进群 加群 兼职 副业 日结 返利 返现 佣金 精华 面霜 面膜 防晒霜
口红 粉底液 眼影 卸妆 洁面 爽肤水 乳液 护肤品 美妆 彩妆 补水 保湿 美白 祛痘 祛斑 烟酰胺 玻尿酸
连衣裙 卫衣 穿搭 显瘦 奶茶 咖啡 烘焙 蛋糕 火锅 烧烤 民宿 健身 瑜伽 减脂 代餐
"""

POST_WORDS: Final = frozenset(_WORDS.split())
