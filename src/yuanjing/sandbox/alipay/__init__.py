"""Simulated Alipay: gateway, cashier, notifications, bills, and buttons for what can go wrong."""
