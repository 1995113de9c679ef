"""The native video protocol of Alibaba Cloud Model Studio (DashScope)."""

from yuanjing.adapters.providers.dashscope.options import DashscopeOptions
from yuanjing.adapters.providers.dashscope.upstream import DashscopeUpstream

__all__ = ["DashscopeOptions", "DashscopeUpstream"]
