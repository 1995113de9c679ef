"""A copy of the database that is made under load, and started elsewhere: docs/operations/backup.md."""

import shutil
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from tests.support.load import Load, ask, balance, wait_until
from tests.support.platform import Platform
from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.timeout(300)
_SETTINGS = {"YUANJING_SANDBOX_TIME_SCALE": "0", "YUANJING_NODE_SILENT_SECONDS": "6"}
Usages = dict[str, dict[str, object]]


def use_under_load(platform: Platform, back_up: Callable[[], None]) -> tuple[Usages, Usages]:
    """Chats all the time; the usages of before the copy, and those at the end."""
    with Load(platform, clients=4, pause_seconds=0.02) as load:
        wait_until(lambda: len(platform.usages()) > 30, 60, pause=0.1)
        before, seen = platform.usages(), len(load.whole)
        back_up()
        assert len(load.whole) > seen, "nobody was answered meanwhile"
        seen = len(load.whole)
        wait_until(lambda: len(load.whole) > seen + 20, 60)
    wait_until(lambda: platform.usages().keys() >= load.whole.keys(), 20, pause=0.2)
    assert set(load.statuses) == {200}, load.refused
    return before, platform.usages()


def check_restored(platform: Platform, key: str, before: Usages, after: Usages) -> None:
    """Its books are those of one moment of the copy, they are right, and work goes on where it was."""
    found = platform.usages()
    assert before.keys() <= found.keys() < after.keys()
    assert found == {id_: after[id_] for id_ in found}
    assert platform.verify() == []
    answer = ask(platform, key)
    assert answer.status_code == 200, answer.text
    paid = sum((Decimal(str(usage["charge"])) for usage in found.values()), Decimal(answer.json()["usage"]["cost"]))
    wait_until(lambda: balance(platform, key) == {"available": 100 - paid, "held": 0, "promotion": 0}, 40, pause=0.3)
    assert platform.stop() == 0
    assert platform.verify() == []
    assert "Traceback" not in platform.errors()


def keep_secrets(old: Path, new: Path) -> None:
    new.mkdir(mode=0o700, parents=True)
    shutil.copytree(old / "secrets", new / "secrets")


def test_sqlite(tmp_path: Path):
    old, new = tmp_path / "old" / "var", tmp_path / "new" / "var"
    with Platform(old, **_SETTINGS) as platform:
        key = platform.key

        def back_up() -> None:
            keep_secrets(old, new)
            platform.run("backup", str(new / "yuanjing.db"))

        before, after = use_under_load(platform, back_up)
        assert platform.stop() == 0
    with Platform(new, **_SETTINGS) as platform:
        check_restored(platform, key, before, after)


@pytest.mark.soak
def test_postgres(tmp_path: Path, postgres: PostgresServer, postgres_empty_url: str):
    old, new = tmp_path / "old" / "var", tmp_path / "new" / "var"
    name = postgres_empty_url.partition("@/")[2].partition("?")[0]
    dumps: list[bytes] = []
    with Platform(old, YUANJING_DATABASE_URL=postgres_empty_url, **_SETTINGS) as platform:
        key = platform.key

        def back_up() -> None:
            dumps.append(postgres.dump(name))
            keep_secrets(old, new)

        before, after = use_under_load(platform, back_up)
        assert platform.stop() == 0
    restored = postgres.restore(dumps[0])
    with Platform(new, YUANJING_DATABASE_URL=postgres.url(restored), **_SETTINGS) as platform:
        check_restored(platform, key, before, after)
    postgres.drop_database(restored)
