"""Who works at this machine's command line, as far as the machine knows."""

import os
import pwd
from pathlib import Path

from yuanjing.domain.audit import Actor, ActorKind

_LOGIN = Path("/proc/self/loginuid")
_NOBODY = 2**32 - 1
"""What Linux says where nobody has logged in, as in a service."""


def this_operator(machine: str) -> Actor:
    """The user that runs this program; who has become it by `sudo` or `su` after logging in is named too.

    The login is the kernel's word. Variables such as USER are what whoever runs the program wants them to be.
    """
    user, login = _name(os.geteuid()), _login()
    name = user if login in (None, user) else f"{login} as {user}"
    return Actor(kind=ActorKind.OPERATOR, id=name, address=machine)


def _login() -> str | None:
    try:
        number = int(_LOGIN.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return None if number == _NOBODY else _name(number)


def _name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"uid {number}"
