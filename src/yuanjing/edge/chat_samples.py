"""Answers of the chat routes as examples: the seed's printed samples, with what the platform adds to them."""

_ID = "chatcmpl-2665dfd8-e05f-9d7f-adff-3c53c174a454"
_USAGE_ID = "K9_veNBxeqvrFfbGWXs0R"
_TEXT = "我是通义千问,阿里巴巴集团旗下的超大规模语言模型。"
_PLAIN_USAGE = (
    '{"completion_tokens": 60, "prompt_tokens": 10, "prompt_tokens_details": {"cached_tokens": 0}, '
    '"total_tokens": 70, "cost": "0.000625", "currency": "CNY"}'
)
_STREAM_USAGE = (
    '{"total_tokens": 70, "completion_tokens": 60, "prompt_tokens": 10, '
    '"prompt_tokens_details": {"cached_tokens": 0}, "cost": "0.000625", "currency": "CNY"}'
)
_HEAD = f'{{"id": "{_ID}", "object": "chat.completion.chunk", "created": 1775019761, "choices": '
_MODEL = ', "model": "qwen3-max"'
_TAIL = f', "finish": "0", "llmusageid": "{_USAGE_ID}"}}'
_CHOICE = f'[{{"finish_reason": "stop", "index": 0, "message": {{"content": "{_TEXT}", "role": "assistant"}}}}]'

LLMAGE_ANSWER = (
    f'{{"id": "{_ID}", "object": "chat.completion", "created": 1775011902, "choices": {_CHOICE}, '
    f'"model": "qwen3-max", "reasoning_content": null, "content": "{_TEXT}", "finish": "1", '
    f'"usage": {_PLAIN_USAGE}, "llmusageid": "{_USAGE_ID}"}}'
)
LLMAGE_STREAM = (
    f'data: {_HEAD}[{{"logprobs": null, "index": 0, "delta": {{"content": "", "role": "assistant"}}}}]{_MODEL}, '
    f'"reasoning_content": null, "content": ""{_TAIL}\n\n'
    f'data: {_HEAD}[{{"delta": {{"content": "\\u6211\\u662f", "role": null}}, "index": 0}}]{_MODEL}, '
    f'"reasoning_content": null, "content": "\\u6211\\u662f"{_TAIL}\n\n'
    f'data: {_HEAD}[{{"delta": {{"content": "", "role": null}}, "index": 0, "finish_reason": "stop"}}]{_MODEL}, '
    f'"reasoning_content": null, "content": ""{_TAIL}\n\n'
    f'data: {_HEAD}[]{_MODEL}, "finish": "1", "usage": {_STREAM_USAGE}, "llmusageid": "{_USAGE_ID}"}}\n\n'
    "data: [DONE]\n\n"
)
OPENAI_ANSWER = (
    f'{{"id": "{_ID}", "object": "chat.completion", "created": 1775011902, "model": "qwen3-max", '
    f'"choices": {_CHOICE}, "usage": {_PLAIN_USAGE}}}'
)
OPENAI_STREAM = (
    f'data: {_HEAD}[{{"index": 0, "delta": {{"role": "assistant", "content": ""}}, "finish_reason": null}}]'
    f"{_MODEL}}}\n\n"
    f'data: {_HEAD}[{{"index": 0, "delta": {{"content": "我是"}}, "finish_reason": null}}]{_MODEL}}}\n\n'
    f'data: {_HEAD}[{{"index": 0, "delta": {{}}, "finish_reason": "stop"}}]{_MODEL}}}\n\n'
    f'data: {_HEAD}[]{_MODEL}, "usage": {_STREAM_USAGE}}}\n\n'
    "data: [DONE]\n\n"
)
