import asyncio
from dataclasses import replace
from pathlib import Path

import pysqlite3
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from tests.adapters.store_contract.builders import (
    TEST,
    customer,
    grant,
    key,
    lease,
    lot,
    offer,
    price,
    redeem_code,
    usage,
)

from yuanjing.adapters.sql import HEAD, SchemaError, alone, current, migrate, open_store, upgrade
from yuanjing.adapters.sql.tables import METADATA
from yuanjing.domain.errors import StoreUnavailableError
from yuanjing.ports.store import Tx


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/folder/that/is/new/store.db"
    return request.getfixturevalue("postgres_empty_url")


async def _in_database(url: str, work) -> object:
    return await alone.run_alone(alone.parse_url(url), work, may_write=True)


async def test_up_down_and_up_again_with_data(empty_url: str):
    def fill(tx: Tx) -> None:
        tx.ledger.post([grant(amount=9)])
        tx.holds.add(lease())
        tx.nodes.register("m-g0", "m", "gateway", 1.5)
        tx.usages.add_new([usage("u1")])
        tx.customers.add(customer())
        tx.keys.add(key())
        tx.catalog.save_offer(offer())
        tx.catalog.add_price(price())
        tx.promotions.add(lot())
        tx.redeem_codes.add(redeem_code(customer_id="cus_a", redeemed_at=1.5))

    for _ in range(2):
        assert await current(empty_url) is None
        await upgrade(empty_url)
        assert await current(empty_url) == HEAD
        store = await open_store(empty_url)
        await store.write(fill)
        await upgrade(empty_url)
        assert (await store.read(lambda tx: tx.ledger.balances(TEST, "cus_a"))).available_nanos == 9
        await store.close()
        await migrate.downgrade(empty_url, "base")
    tables = await _in_database(empty_url, lambda conn: set(sa.inspect(conn).get_table_names()))
    assert tables == {"alembic_version"}


async def test_usage_by_day_is_added_up_from_what_was_there_before(empty_url: str):
    await upgrade(empty_url)
    store = await open_store(empty_url)
    usages = [usage(f"u{n}", posted_at=n * 50_000.0, key_id=f"key_{n % 2}") for n in range(9)]
    await store.write(lambda tx: tx.usages.add_new(usages))
    expected = await store.read(lambda tx: list(tx.usages.scan_days()))
    assert len(expected) > 5
    await store.close()
    await migrate.downgrade(empty_url, "0003")
    await upgrade(empty_url)
    store = await open_store(empty_url)
    assert await store.read(lambda tx: list(tx.usages.scan_days())) == expected
    await store.close()


async def test_holds_of_before_have_no_promotion_money_and_those_of_after_are_money(empty_url: str):
    await upgrade(empty_url)
    store = await open_store(empty_url)
    plain, mixed = lease("hold_1"), lease("hold_2", promotion_nanos=40, parts=2)
    await store.write(lambda tx: tx.holds.add(plain, mixed))
    await store.close()
    await migrate.downgrade(empty_url, "0004")
    await upgrade(empty_url)
    store = await open_store(empty_url)
    after = await store.read(lambda tx: list(tx.holds.scan()))
    assert after == [plain, replace(mixed, promotion_nanos=0)]
    assert await store.read(lambda tx: list(tx.promotions.scan())) == []
    await store.close()


async def test_the_migrated_schema_is_the_tables(empty_url: str):
    await upgrade(empty_url)

    def differences(conn: sa.Connection) -> list[object]:
        context = MigrationContext.configure(conn, opts={"compare_type": True, "compare_server_default": True})
        return compare_metadata(context, METADATA)

    assert await _in_database(empty_url, differences) == []


async def test_every_check_is_in_the_migrated_schema(empty_url: str):
    """Alembic's comparison does not look at CHECK constraints."""
    await upgrade(empty_url)

    def checks(conn: sa.Connection) -> set[str | None]:
        inspector = sa.inspect(conn)
        return {check["name"] for table in METADATA.tables for check in inspector.get_check_constraints(table)}

    expected = {
        check.name
        for table in METADATA.tables.values()
        for check in table.constraints
        if isinstance(check, sa.CheckConstraint)
    }
    assert len(expected) > 10
    assert await _in_database(empty_url, checks) == expected


async def test_two_upgrades_at_once(empty_url: str):
    async with asyncio.TaskGroup() as tasks:
        for _ in range(3):
            tasks.create_task(upgrade(empty_url))
    assert await current(empty_url) == HEAD


def test_the_schema_that_the_program_wants_is_the_newest_version():
    assert migrate.head() == HEAD


async def test_a_database_without_tables_is_refused(empty_url: str):
    with pytest.raises(SchemaError, match="yuanjing migrate"):
        await open_store(empty_url)
    assert await current(empty_url) is None


def test_asking_does_not_create_a_file(tmp_path: Path):
    assert asyncio.run(current(f"sqlite:///{tmp_path}/store.db")) is None
    assert list(tmp_path.iterdir()) == []


async def test_a_database_of_a_newer_program_is_refused(empty_url: str):
    await upgrade(empty_url)
    await _in_database(empty_url, lambda conn: conn.execute(sa.text("UPDATE alembic_version SET version_num='9999'")))
    for use in (open_store, upgrade):
        with pytest.raises(SchemaError, match="at schema 9999, which is newer than this program"):
            await use(empty_url)
    assert await current(empty_url) == "9999"


@pytest.mark.parametrize("url", ["mysql://u:secret@h/d", "nonsense", "sqlite://", "sqlite:///:memory:"])
async def test_other_addresses_are_refused_without_their_password(url: str):
    with pytest.raises(StoreUnavailableError) as caught:
        await open_store(url)
    assert "secret" not in str(caught.value)


async def test_a_migration_that_would_orphan_rows_changes_nothing(tmp_path: Path):
    url = f"sqlite:///{tmp_path}/store.db"
    await upgrade(url)
    store = await open_store(url)
    await store.write(lambda tx: (tx.customers.add(customer()), tx.keys.add(key())))
    await store.close()
    with pytest.raises(SchemaError):
        await _in_database(url, lambda conn: conn.execute(sa.text("DELETE FROM customers")))
    with pysqlite3.connect(tmp_path / "store.db") as conn:
        assert conn.execute("SELECT count(*) FROM customers").fetchone() == (1,)
    conn.close()


async def test_rebuilding_a_parent_table_keeps_its_children(tmp_path: Path):
    """SQLite changes a table by dropping and rebuilding it; with foreign keys on its children would go."""
    from alembic.operations import Operations  # noqa: PLC0415  # only this test writes a migration

    url = f"sqlite:///{tmp_path}/store.db"
    await upgrade(url)
    store = await open_store(url)
    await store.write(lambda tx: (tx.customers.add(customer()), tx.keys.add(key())))

    def rebuild(conn: sa.Connection) -> None:
        operations = Operations(MigrationContext.configure(conn, opts={"target_metadata": METADATA}))
        with operations.batch_alter_table("customers", recreate="always") as batch:
            batch.alter_column("name", type_=sa.Text(), nullable=True)

    await _in_database(url, rebuild)
    assert await store.read(lambda tx: tx.keys.get("key_1")) == key()
    await store.close()
