"""Refusals of the gateway in Alipay's words."""

from dataclasses import dataclass


@dataclass(eq=False)
class Problem(Exception):  # noqa: N818  # Alipay's refusals are answers, not errors
    """One refusal.

    Attributes:
        is_signed: the gateway signs only what it has reached the service with.
    """

    code: str
    sub_code: str
    sub_msg: str
    is_signed: bool = True

    @property
    def fields(self) -> dict[str, object]:
        """The answer's object."""
        return {"code": self.code, "msg": _MESSAGES[self.code], "sub_code": self.sub_code, "sub_msg": self.sub_msg}


_MESSAGES = {
    "20000": "Service Currently Unavailable",
    "40001": "Missing Required Arguments",
    "40002": "Invalid Arguments",
    "40004": "Business Failed",
    "40006": "Insufficient Permissions",
}
_BUSINESS = {
    "ACQ.TRADE_NOT_EXIST": "交易不存在",
    "ACQ.TRADE_STATUS_ERROR": "交易状态不合法",
    "ACQ.TRADE_HAS_SUCCESS": "交易已被支付",
    "ACQ.TRADE_HAS_CLOSE": "交易已经关闭",
    "ACQ.TRADE_HAS_FINISHED": "交易已完结",
    "ACQ.CONTEXT_INCONSISTENT": "交易信息被篡改",
    "ACQ.INVALID_PARAMETER": "参数无效",
    "ACQ.TOTAL_FEE_EXCEED": "订单金额超过限额",
    "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL": "退款金额超限",
    "ACQ.DISCORDANT_REPEAT_REQUEST": "请求信息不一致",
    "ACQ.SYSTEM_ERROR": "系统错误",
    "isp.bill_not_exist": "账单不存在",
    "isv.invalid-arguments": "参数有误",
}


def missing(name: str) -> Problem:
    """A parameter of the protocol is missing."""
    return Problem("40001", f"isv.missing-{name}", f"缺少参数: {name}", is_signed=False)


def invalid(name: str, *, is_signed: bool = False) -> Problem:
    """A parameter of the protocol is wrong."""
    return Problem("40002", f"isv.invalid-{name}", f"参数无效: {name}", is_signed=is_signed)


def refused(sub_code: str) -> Problem:
    """The service says no."""
    return Problem("40004", sub_code, _BUSINESS[sub_code])


def unavailable() -> Problem:
    """The service is out of order."""
    return Problem("20000", "isp.unknow-error", "系统繁忙")
