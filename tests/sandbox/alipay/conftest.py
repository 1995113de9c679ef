"""The simulated Alipay, by itself."""

from tests.support.alipay_fixtures import box, fresh, receiver

__all__ = ["box", "fresh", "receiver"]
