"""Simulated vendors of messages: Alibaba Cloud's SMS and number verification, and Tencent Cloud's SMS."""
