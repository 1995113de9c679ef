"""Alipay: the open platform's gateway, version 2, as a payment method. Nothing of it is known outside of here."""
