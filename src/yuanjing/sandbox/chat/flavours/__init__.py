"""The wire flavours, one module per service; `openai` is the base that the others change."""

from yuanjing.sandbox.chat.flavours.ark import Ark
from yuanjing.sandbox.chat.flavours.dashscope import DashScope
from yuanjing.sandbox.chat.flavours.deepseek import DeepSeek
from yuanjing.sandbox.chat.flavours.moonshot import Moonshot
from yuanjing.sandbox.chat.flavours.ollama import Ollama
from yuanjing.sandbox.chat.flavours.openai import Flavour
from yuanjing.sandbox.chat.flavours.vllm import Vllm

FLAVOURS: tuple[Flavour, ...] = (Flavour(), DashScope(), Ark(), DeepSeek(), Moonshot(), Vllm(), Ollama())
