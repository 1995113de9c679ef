"""Settings as their documentation shows them, see docs/reference/settings.md."""

import ast
import inspect
import itertools
import re
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from yuanjing.settings import Mode, Settings, show_default, variable


@dataclass(frozen=True, kw_only=True, slots=True)
class SettingInfo:
    """One setting as the documentation shows it; `default` is empty when it depends on the machine."""

    variable: str
    type: str
    default: str
    text: str


_MACHINE_DEPENDENT = frozenset({"workers", "machine"})


def list_settings() -> list[SettingInfo]:
    """Every setting: those of the package's first file, then part by part, each in the order of its file."""
    infos: list[SettingInfo] = []
    for part in (Settings, *Settings.__bases__):
        for name, text in _field_texts(part).items():
            field = Settings.model_fields[name]
            default = "" if name in _MACHINE_DEPENDENT or field.default is None else show_default(field.default)
            kind = _type_name(name, field.annotation)
            infos.append(SettingInfo(variable=variable(name), type=kind, default=default, text=text))
    assert len(infos) == len(Settings.model_fields), "a setting without a text below it"
    return infos


def _field_texts(part: type[BaseModel]) -> dict[str, str]:
    """The text below each field, read from the source: keeping them at run time would cost every process a parse."""
    tree = ast.parse(inspect.getsource(part))
    (body,) = [node.body for node in tree.body if isinstance(node, ast.ClassDef)]
    return {
        field.target.id: text.value.value
        for field, text in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
        and isinstance(text.value.value, str)
    }


def _type_name(name: str, annotation: object) -> str:
    """The type in a reader's words."""
    words: dict[object, str] = {
        int: "integer",
        float: "seconds" if "_seconds" in name else "factor",
        bool: "true or false",
        str: "text",
        str | None: "file",
        Path: "folder",
        Mode: "one of development, production",
    }
    if annotation in words:
        return words[annotation]
    text = str(annotation)
    if "SecretStr" in text:
        return "secret"
    if "Literal" in text:
        return "one of " + ", ".join(re.findall(r"'(\w+)'", text))
    return "list"
