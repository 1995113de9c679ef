"""What is known of Alipay as a payment method before anything is called."""

from yuanjing.domain.topups import PayWay


class AlipayTraits:
    """See the properties of `PaymentMethod`."""

    name = "alipay"
    ways = frozenset({PayWay.PAGE, PayWay.WAP, PayWay.QR})
    accepts_notifications = True
    acknowledgement = b"success"
    is_confirmed_by_hand = False
    has_bills = True
    order_seconds = None
