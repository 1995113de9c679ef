"""Money that customers pay in, and money that goes back to them."""

from yuanjing.usecases.topups.bills import Bills
from yuanjing.usecases.topups.notifications import Notifications
from yuanjing.usecases.topups.orders import TopUps
from yuanjing.usecases.topups.parts import TopUpParts, TopUpPolicy
from yuanjing.usecases.topups.refunds import Refunds

__all__ = ["Bills", "Notifications", "Refunds", "TopUpParts", "TopUpPolicy", "TopUps"]
