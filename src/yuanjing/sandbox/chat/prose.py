"""The words of an answer: what was received, in the language of the last user message."""

# ruff: noqa: RUF001  # Chinese has its own punctuation

import re
from collections import Counter
from collections.abc import Iterator

from msgspec import Struct

from yuanjing.sandbox import jsons, tokens
from yuanjing.sandbox.chat.request import NOT_ECHOED, ChatMessage, ChatRequest
from yuanjing.sandbox.chat.usage import digest

_CHINESE = re.compile("[\u3400-\u9fff]")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
NAMES_MAX = 8
VALUE_CHARS_MAX = 40

_CLOSINGS_EN = (
    "Everything you see was made here, on this machine, and cost nothing.",
    "Ask me anything else: I will tell you just as exactly what arrived.",
    "No model was harmed in the making of this answer.",
    "Put a magic word into your next message to see how a failure looks.",
)
_CLOSINGS_ZH = (
    "以上内容都在本机生成，不产生任何真实费用。",
    "继续提问吧，我会同样准确地告诉您收到了什么。",
    "这段回答没有经过真实的模型，但走的是真实的协议。",
    "在下一条消息里写上魔法词，就能看到各种故障的样子。",
)
_WORDS_EN = ("light", "river", "morning", "of", "quiet", "mountain", "and", "paper", "lantern", "to", "wind", "far")
_WORDS_ZH = tuple("山水清风明月云海星河春秋远近高低")


class Seen(Struct, frozen=True, kw_only=True):
    """What an answer tells about its request; texts are already short."""

    model: str
    flavour: str
    roles: dict[str, int]
    system: str
    user: str
    tool_results: list[str]
    attachments: int
    tools: list[str]
    parameters: list[str]
    unknown_words: tuple[str, ...]
    is_chinese: bool


def look(request: ChatRequest, fields: dict[str, object], flavour: str, echo_chars_max: int) -> Seen:
    """What there is to tell about `request`."""
    messages = request.messages or []
    user = request.last_user_text
    systems = [message.text for message in messages if message.role in {"system", "developer"}]
    results: list[str] = []
    for message in reversed(messages):
        if message.role != "tool":
            break
        results.insert(0, _short(message.text, echo_chars_max))
    return Seen(
        model=_short(request.model or "", echo_chars_max),
        flavour=flavour,
        roles=dict(Counter(message.role for message in messages)),
        system=_short(systems[0] if systems else "", echo_chars_max),
        user=_short(user, echo_chars_max),
        tool_results=results[:NAMES_MAX],
        attachments=sum(len(message.attachments) for message in messages),
        tools=[_short(function.name, VALUE_CHARS_MAX) for function in request.functions[:NAMES_MAX]],
        parameters=_parameters(fields),
        unknown_words=(),
        is_chinese=bool(_CHINESE.search(user or _last_text(messages))),
    )


def answer(seen: Seen, seed: bytes, index: int) -> str:
    """The text of choice `index`."""
    lines = _zh(seen) if seen.is_chinese else _en(seen)
    closings = _CLOSINGS_ZH if seen.is_chinese else _CLOSINGS_EN
    if index:
        lines.append(f"（第 {index + 1} 个候选）" if seen.is_chinese else f"(Choice {index + 1}.)")
    lines.append(closings[(seed[0] + index) % len(closings)])
    return "\n".join(lines)


def reasoning(seen: Seen, seed: bytes, index: int) -> str:
    """What a thinking model says before the answer."""
    count = sum(seen.roles.values())
    if seen.is_chinese:
        steps = (
            f"先看收到了什么：{count} 条消息。",
            f"用户最后说的是“{seen.user[:60]}”。",
            "我是沙箱，应当如实复述收到的内容。",
            "想清楚了，开始回答。" if seed[1] % 2 else "按顺序列出来就好。",
        )
        return "".join(steps) + ("" if index == 0 else f"候选 {index + 1}。")
    steps = (
        f"First I look at what arrived: {count} message(s).",
        f'The user says "{seen.user[:60]}".',
        "I am a sandbox, so I should tell exactly what I received.",
        "That is clear; now the answer." if seed[1] % 2 else "A list in order will do.",
    )
    return " ".join(steps) + ("" if index == 0 else f" Choice {index + 1}.")


def json_object(seen: Seen) -> dict[str, object]:
    """The answer as a JSON object, for `response_format` json_object."""
    return {
        "sandbox": True,
        "model": seen.model,
        "messages": sum(seen.roles.values()),
        "parameters": seen.parameters,
        "echo": seen.user,
    }


def filler(seed: bytes, *, is_chinese: bool) -> Iterator[str]:
    """Endless tokens that may follow any text of `answer` or `reasoning`."""
    block = 0
    while True:
        for byte in digest(seed + block.to_bytes(8, "big"), size=64):
            if is_chinese:
                yield _WORDS_ZH[byte % len(_WORDS_ZH)]
            else:
                yield from tokens.split(" " + _WORDS_EN[byte % len(_WORDS_EN)])
        block += 1


def _en(seen: Seen) -> list[str]:
    roles = ", ".join(f"{count} {role}" for role, count in seen.roles.items())
    lines = [
        f"This is the Yuanjing sandbox, answering as {seen.model} the way {seen.flavour} would.",
        f"I received {sum(seen.roles.values())} message(s): {roles}.",
    ]
    lines += [f'The system prompt says: "{seen.system}"'] if seen.system else []
    lines += [f"Attachments such as images: {seen.attachments}."] if seen.attachments else []
    lines += [f"Tools offered: {', '.join(seen.tools)}."] if seen.tools else []
    lines += [f"Parameters: {', '.join(seen.parameters)}."] if seen.parameters else []
    lines += [f'The tool returned: "{result}"' for result in seen.tool_results]
    lines += [f"Not a magic word: {', '.join(seen.unknown_words)}."] if seen.unknown_words else []
    return [*lines, f'You said: "{seen.user}"']


def _zh(seen: Seen) -> list[str]:
    roles = "、".join(f"{role} {count} 条" for role, count in seen.roles.items())
    lines = [
        f"这里是 Yuanjing 沙箱，以 {seen.model} 的名义、按 {seen.flavour} 的格式回答。",
        f"共收到 {sum(seen.roles.values())} 条消息：{roles}。",
    ]
    lines += [f"系统提示是：“{seen.system}”"] if seen.system else []
    lines += [f"图片等附件 {seen.attachments} 个。"] if seen.attachments else []
    lines += [f"提供的工具：{'、'.join(seen.tools)}。"] if seen.tools else []
    lines += [f"参数：{'、'.join(seen.parameters)}。"] if seen.parameters else []
    lines += [f"工具返回：“{result}”" for result in seen.tool_results]
    lines += [f"这些不是魔法词：{'、'.join(seen.unknown_words)}。"] if seen.unknown_words else []
    return [*lines, f"您最后说的是：“{seen.user}”"]


def _parameters(fields: dict[str, object]) -> list[str]:
    given = {name: value for name, value in fields.items() if name not in NOT_ECHOED and value is not None}
    shown = [
        f"{_short(name, VALUE_CHARS_MAX)}={_short(jsons.encode(given[name]).decode(), VALUE_CHARS_MAX)}"
        for name in sorted(given)
    ]
    return shown[: 2 * NAMES_MAX]


def _last_text(messages: list[ChatMessage]) -> str:
    return messages[-1].text if messages else ""


def _short(text: str, chars: int) -> str:
    text = _LONE_SURROGATE.sub("?", text.strip())
    return text if len(text) <= chars else text[:chars] + "…"
