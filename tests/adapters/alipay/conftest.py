"""The simulated Alipay, over which the adapter is tested."""

from tests.support.alipay_fixtures import box, fresh, receiver

__all__ = ["box", "fresh", "receiver"]
