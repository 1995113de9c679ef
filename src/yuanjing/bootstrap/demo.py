"""The demonstration customer of a development installation, and the text that `make run` prints."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from yuanjing.bootstrap.services import Services
from yuanjing.domain.errors import NotFoundError
from yuanjing.domain.identity import AuthenticationError, KeyLimits
from yuanjing.domain.money import Book, format_amount, parse_amount
from yuanjing.settings import SettingsError
from yuanjing.usecases.customers import create_customer, customer_balances, find_customer
from yuanjing.usecases.keys import authenticate, create_key

DEMO_MOBILE = "+8613800138000"
DEMO_MODEL = "qwen3-max"
KEY_FILE = "demo-key"
ADDRESS_FILE = "address.json"


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
    """

    addresses: Addresses
    key: str
    balance: str

    def text(self) -> str:
        """Address, key, balance, and calls that work when pasted."""
        return _TEXT.format(
            address=self.addresses.platform,
            sandbox=self.addresses.sandbox or "not running here",
            key=self.key,
            balance=self.balance,
            model=DEMO_MODEL,
        )


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
    return Demo(addresses=addresses, key=key, balance=owned)


async def _ensure_key(services: Services, customer_id: str) -> str:
    path = services.settings.data / KEY_FILE
    if path.exists():
        key = path.read_text(encoding="ascii").strip()
        try:
            await authenticate(services.store, services.clock, services.pepper, key)
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


async def demo_text(services: Services) -> str:
    """What `make run` prints, for where the platform was started last.

    Raises:
        SettingsError: in production mode.
        YuanjingError: the store does not answer.
    """
    return (await ensure_demo(services, read_addresses(services))).text()


_TEXT = """\
Yuanjing is ready.

  address       {address}
  sandbox       {sandbox}
  sandbox key   {key}
  balance       {balance} CNY of play money (customer {{mobile}})

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
See what it cost: .venv/bin/yuanjing usage list
""".replace("{{mobile}}", DEMO_MOBILE)
