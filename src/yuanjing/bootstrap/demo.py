"""The demonstration customer of a development installation, and the text that `make run` prints."""

import asyncio
import json
import os
import shlex
import shutil
import sys
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

from yuanjing.bootstrap.services import Services
from yuanjing.domain.errors import NotFoundError
from yuanjing.domain.identity import AuthenticationError, KeyLimits
from yuanjing.domain.money import Book, format_amount, parse_amount
from yuanjing.settings import SettingsError
from yuanjing.usecases.customers import create_customer, customer_balances, find_customer
from yuanjing.usecases.key_finder import KeyFinder
from yuanjing.usecases.keys import authenticate, create_key

DEMO_MOBILE = "+8613800138000"
DEMO_MODEL = "qwen3-max"
KEY_FILE = "demo-key"
ADDRESS_FILE = "address.json"
_PROBE_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Addresses:
    """Where a running platform listens."""

    platform: str
    sandbox: str | None


def write_addresses(data: Path, addresses: Addresses) -> None:
    """Remember where the platform listens, for `yuanjing demo`."""
    document = {"platform": addresses.platform, "sandbox": addresses.sandbox}
    (data / ADDRESS_FILE).write_text(json.dumps(document) + "\n", encoding="utf-8")


def read_addresses(services: Services) -> Addresses:
    """Where the platform was started last, else where the settings would put it."""
    settings = services.settings
    try:
        document = json.loads((settings.data / ADDRESS_FILE).read_text(encoding="utf-8"))
        return Addresses(platform=str(document["platform"]), sandbox=document["sandbox"])
    except (OSError, ValueError, KeyError):
        return Addresses(platform=f"http://{settings.host}:{settings.port}", sandbox=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Demo:
    """The demonstration customer, and where to call.

    Attributes:
        key: its test key, the one that is kept in a file.
        balance: the play money that it owns, in CNY, held or not.
        program: how this program is called here, its data folder included.
        notice: what else whoever starts it should know.
    """

    addresses: Addresses
    key: str
    balance: str
    program: str
    notice: str = ""

    def text(self, *, is_running: bool = True) -> str:
        """Address, key, balance, and calls that work when pasted."""
        return _TEXT.format(
            state=_READY if is_running else _NOT_RUNNING.format(program=self.program),
            notice=f"{self.notice}\n" if self.notice else "",
            address=self.addresses.platform,
            sandbox=self.addresses.sandbox or "not running here",
            key=self.key,
            balance=self.balance,
            model=DEMO_MODEL,
            mobile=DEMO_MOBILE,
            program=self.program,
        )

    def document(self) -> dict[str, object]:
        """The same as data, with the keys of `serve --json`."""
        return {
            "address": self.addresses.platform,
            "sandbox": self.addresses.sandbox,
            "key": self.key,
            "balance": self.balance,
        }


async def ensure_demo(services: Services, addresses: Addresses) -> Demo:
    """The demonstration customer and its key, made if they are not there; in development only.

    Raises:
        SettingsError: in production mode.
        YuanjingError: the store does not answer.
    """
    if services.settings.is_production:
        raise SettingsError(["demo: production mode has no demonstration customer; make one: yuanjing customer create"])
    try:
        customer = await find_customer(services.store, DEMO_MOBILE)
    except NotFoundError:
        customer = await create_customer(
            services.store,
            services.clock,
            mobile=DEMO_MOBILE,
            name="Demo",
            test_grant_nanos=parse_amount(services.settings.welcome_test_grant),
        )
    key = await _ensure_key(services, customer.id)
    balance = (await customer_balances(services.store, customer.id))[Book.TEST]
    owned = format_amount(balance.available_nanos + balance.held_nanos)
    return Demo(addresses=addresses, key=key, balance=owned, program=program_name(services.settings.data))


async def _ensure_key(services: Services, customer_id: str) -> str:
    path = services.settings.data / KEY_FILE
    if path.exists():
        key = path.read_text(encoding="ascii").strip()
        try:
            await authenticate(KeyFinder(services.store), services.clock, services.pepper, key)
        except AuthenticationError:
            path.unlink()  # the database is another one, or the key was revoked
        else:
            return key
    _, key = await create_key(
        services.store,
        services.clock,
        services.pepper,
        customer_id=customer_id,
        book=Book.TEST,
        name="demo",
        limits=KeyLimits(),
        expires_at=None,
    )
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(key + "\n")
    return key


async def show_demo(services: Services) -> tuple[Demo, bool]:
    """The demonstration customer for where the platform was started last, and whether it answers there now.

    Raises:
        SettingsError: in production mode.
        YuanjingError: the store does not answer.
    """
    demo = await ensure_demo(services, read_addresses(services))
    return demo, await asyncio.to_thread(_answers, demo.addresses.platform)


def _answers(address: str) -> bool:
    """Whether a platform lives there."""
    place = urlsplit(address)
    connection = HTTPConnection(place.hostname or "", place.port, timeout=_PROBE_SECONDS)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def program_name(data: Path) -> str:
    """What to type to call this program for this data folder: as short as it works from this folder."""
    script = Path(sys.executable).with_name("yuanjing")
    found = shutil.which("yuanjing")
    if not script.exists():
        words = [_below_here(Path(sys.executable)), "-m", "yuanjing"]
    elif found is not None and Path(found) == script:
        words = ["yuanjing"]
    else:
        words = [_below_here(script)]
    if data != Path("var").absolute():
        words += ["--data", _below_here(data)]
    return shlex.join(words)


def _below_here(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


_READY = "Yuanjing is ready."
_NOT_RUNNING = "Yuanjing is not running; start it with: {program} serve --sandbox --demo"
_TEXT = """\
{state}
{notice}
  address       {address}
  sandbox       {sandbox}
  sandbox key   {key}
  balance       {balance} CNY of play money (customer {mobile})

Ask it something:

curl -N {address}/v1/chat/completions \\
  -H "Authorization: Bearer {key}" \\
  -H "Content-Type: application/json" \\
  -d '{{"model": "{model}", "stream": true, "messages": [{{"role": "user", "content": "你是谁?"}}]}}'

The same from Python, without installing anything:

python3 - <<'EOF'
import json, urllib.request
request = urllib.request.Request(
    "{address}/v1/chat/completions",
    headers={{"Authorization": "Bearer {key}", "Content-Type": "application/json"}},
    data=json.dumps({{"model": "{model}", "messages": [{{"role": "user", "content": "Who are you?"}}]}}).encode(),
)
answer = json.load(urllib.request.urlopen(request))
print(answer["choices"][0]["message"]["content"], answer["usage"])
EOF

With the OpenAI SDK: OpenAI(base_url="{address}/v1", api_key="{key}")
See what it cost: {program} usage list
"""
