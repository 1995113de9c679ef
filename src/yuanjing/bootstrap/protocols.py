"""The wire protocols of video, by the names that the catalogue's providers give."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from yuanjing.ports.upstream import VideoUpstream

if TYPE_CHECKING:
    from yuanjing.kit.webcalls import WebCaller


def make_upstreams(web: "WebCaller") -> Mapping[str, VideoUpstream]:
    """An adapter for each protocol."""
    from yuanjing.adapters.providers.ark import ArkUpstream  # noqa: PLC0415  # with httpx2: 0.1 s of a start
    from yuanjing.adapters.providers.dashscope import DashscopeUpstream  # noqa: PLC0415  # the same
    from yuanjing.adapters.providers.vidu import ViduUpstream  # noqa: PLC0415  # the same

    return {"ark": ArkUpstream(web), "dashscope": DashscopeUpstream(web), "vidu": ViduUpstream(web)}
