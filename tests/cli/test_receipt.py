"""`yuanjing receipt`: operators make receipts, and anybody checks them."""

import asyncio
import json
import stat
import threading

import pytest
from tests.support.web import Web
from tests.usecases.video_market import Market

from yuanjing.adapters.sql import open_store
from yuanjing.kit.clock import ManualClock
from yuanjing.kit.signing import SigningKey
from yuanjing.ports.receipts import ReceiptKey
from yuanjing.usecases.receipts import key_document

PATH = "/.well-known/yuanjing-receipts.json"


@pytest.fixture
def task(yuanjing, tmp_path):
    """A task that has succeeded, in the data folder of the command line."""
    assert yuanjing("migrate").code == 0

    async def fill():
        url = f"sqlite:///{tmp_path}/var/yuanjing.db"
        clock = ManualClock()
        store = await open_store(url, clock=clock)
        market = Market(store=store, clock=clock)
        await market.prepare()
        done = await market.succeed(await market.claim(await market.submit()))
        await store.close()
        return done

    return asyncio.run(fill())


@pytest.fixture
def receipt(yuanjing, tmp_path, task):
    """A receipt as a file, and the key that it is signed with."""
    path = tmp_path / "receipt.json"
    path.write_text(yuanjing("receipt", "show", task.usage_id).out)
    return path, SigningKey(bytes.fromhex((tmp_path / "var" / "secrets" / "receipt-key").read_text()))


def keys_file(tmp_path, *keys):
    path = tmp_path / "keys.json"
    found = [ReceiptKey(id=key.id, public_key=key.public_key, created_at=0.0) for key in keys]
    path.write_text(json.dumps(key_document(found)))
    return path


def test_receipts_of_usage_and_of_tasks_are_shown_and_true(yuanjing, tmp_path, task):
    for id_, kind in ((task.usage_id, "usage"), (task.id, "task")):
        shown = yuanjing("receipt", "show", id_)
        assert shown.code == 0
        assert yuanjing("receipt", "show", id_, "--json").document == json.loads(shown.out)
        (tmp_path / "receipt.json").write_text(shown.out)
        checked = yuanjing("receipt", "verify", tmp_path / "receipt.json", "--json").document
        assert (checked["ok"], checked["charge"], checked["total"]) == (True, "0.50", "0.50")
        assert (checked["receipt"]["kind"], checked["receipt"]["usage_id"]) == (kind, task.usage_id)
        text = yuanjing("receipt", "verify", tmp_path / "receipt.json").out
        assert "The receipt is true" in text
        assert "0.50 CNY" in text
    for id_ in ("nothing", "1" * 18):
        assert (yuanjing("receipt", "show", id_).code, yuanjing("receipt", "show", id_).out) == (3, "")


def test_the_key_is_its_owners_alone_and_old_ones_are_still_known(yuanjing, tmp_path, receipt, task):
    path, key = receipt
    file = tmp_path / "var" / "secrets" / "receipt-key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.rename(tmp_path / "old-key")
    renewed = json.loads(yuanjing("receipt", "show", task.usage_id).out)
    assert renewed["signature"]["key_id"] != key.id
    assert yuanjing("receipt", "verify", path, "--json").document["key_id"] == key.id
    file.chmod(0o644)
    refused = yuanjing("receipt", "show", task.usage_id)
    assert refused.code == 2
    assert "chmod 600" in refused.err


def test_a_check_with_a_file_of_keys_needs_no_platform(yuanjing, environment, tmp_path, receipt):
    path, key = receipt
    environment.setenv("YUANJING_DATA", "/nowhere/at/all")
    keys = keys_file(tmp_path, SigningKey(b"o" * 32), key)
    assert yuanjing("receipt", "verify", path, "--public-key", keys, "--json").document["key_id"] == key.id


def test_exit_codes_tell_untrue_receipts_from_unreadable_ones(yuanjing, tmp_path, receipt):
    path, key = receipt
    keys = keys_file(tmp_path, key)
    changed = tmp_path / "changed.json"
    changed.write_text(path.read_text().replace('"charge":"0.50"', '"charge":"0.05"'))
    found = yuanjing("receipt", "verify", changed, "--public-key", keys, "--json")
    assert (found.code, found.error["code"]) == (1, "receipt_invalid")
    assert "signature is wrong" in found.error["message"]
    others = keys_file(tmp_path, SigningKey(b"o" * 32))
    assert yuanjing("receipt", "verify", path, "--public-key", others).code == 1
    for bad in ("", "[]", '{"keys": []}'):
        others.write_text(bad)
        found = yuanjing("receipt", "verify", path, "--public-key", others, "--json")
        assert (found.code, found.error["param"]) == (2, "public_key")
    found = yuanjing("receipt", "verify", tmp_path / "missing.json", "--json")
    assert (found.code, found.error["param"]) == (2, "file")
    large = tmp_path / "large.json"
    large.write_bytes(b" " * (1024 * 1024 + 1))
    assert yuanjing("receipt", "verify", large).code == 2
    both = yuanjing("receipt", "verify", path, "--public-key", keys, "--url", "https://a.example")
    assert both.code == 2


class Served:
    """A platform's keys, from a thread of their own."""

    def __init__(self, *answers):
        self._answers, self._is_up, self._stop = answers, threading.Event(), None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()))

    async def _serve(self):
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        async with Web(answers=dict(self._answers)) as web:
            self.url = web.url
            self._is_up.set()
            await self._stop.wait()

    def __enter__(self):
        self._thread.start()
        assert self._is_up.wait(20)
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()


def test_keys_are_fetched_from_a_platform(yuanjing, tmp_path, receipt):
    path, key = receipt
    keys = keys_file(tmp_path, key).read_bytes()
    with Served((PATH, (200, {}, keys)), ("/elsewhere", (200, {}, keys)), ("/broken", (500, {}, b""))) as served:
        for url in (served.url, f"{served.url}/", f"{served.url}/elsewhere"):
            assert yuanjing("receipt", "verify", path, "--url", url, "--json").document["ok"] is True
        for url in (f"{served.url}/broken", f"{served.url}/nothing"):
            found = yuanjing("receipt", "verify", path, "--url", url, "--json")
            assert (found.code, found.error["code"]) == (5, "keys_unavailable")
    assert yuanjing("receipt", "verify", path, "--url", served.url).code == 5
    for url in ("http://platform.example", "ftp://platform.example", "https://user@platform.example", "nonsense"):
        found = yuanjing("receipt", "verify", path, "--url", url, "--json")
        assert (found.code, found.error["param"]) == (2, "url")
