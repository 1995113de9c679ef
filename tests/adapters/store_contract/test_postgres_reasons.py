"""What an operator is told when the database does not let us in; callers of the API hear nothing of it."""

import asyncpg
import pytest
import sqlalchemy as sa
from tests.support.postgres import PostgresServer

from yuanjing.adapters.sql import open_store, upgrade
from yuanjing.adapters.sql.postgres_engine import explain_postgres, translate_postgres
from yuanjing.domain.errors import StoreUnavailableError


async def told(url: str) -> str:
    with pytest.raises(StoreUnavailableError) as error:
        await open_store(url)
    return error.value.message


async def test_a_database_that_does_not_exist_is_named(postgres: PostgresServer):
    said = await told(f"postgresql://postgres:hunter2@/nowhere?host={postgres.data}")
    assert said == (f'the database nowhere at {postgres.data} cannot be reached: database "nowhere" does not exist')


async def test_a_user_that_does_not_exist_is_named(postgres_empty_url: str):
    said = await told(postgres_empty_url.replace("postgres@", "nobody:hunter2@"))
    assert 'cannot be reached: role "nobody" does not exist' in said
    assert "hunter2" not in said


@pytest.mark.parametrize(
    ("place", "reason"),
    [("127.0.0.1:1", "Connection refused"), ("nowhere.invalid", "ame or service not known")],
)
async def test_a_server_that_is_not_there_is_named(place: str, reason: str):
    said = await told(f"postgresql://u:hunter2@{place}/shop")
    assert said.startswith(f"the database shop at {place} cannot be reached: ")
    assert reason in said or "name resolution" in said
    assert "hunter2" not in said


async def test_a_user_without_the_right_to_make_tables_is_told_which(postgres: PostgresServer, postgres_empty_url: str):
    postgres.sql("DO $$ BEGIN CREATE ROLE guest LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$")
    with pytest.raises(StoreUnavailableError) as error:
        await upgrade(postgres_empty_url.replace("postgres@", "guest@"))
    assert "refuses: permission denied for schema public; GRANT CREATE ON SCHEMA public TO guest" in error.value.message


def test_callers_are_not_told_where_the_database_is():
    url = sa.make_url("postgresql://u:hunter2@db-1:6543/shop?password=hunter3")
    error = asyncpg.InvalidPasswordError('password authentication failed for user "u"')
    assert str(translate_postgres(error)) == "the database cannot be reached"
    assert str(explain_postgres(error, url)) == (
        'the database shop at db-1:6543 cannot be reached: password authentication failed for user "u"'
    )
    assert str(explain_postgres(TimeoutError(), url)).endswith("cannot be reached: no answer in time")
