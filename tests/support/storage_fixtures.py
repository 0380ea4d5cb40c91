"""Servers that the storage tests share, one of each a test process; nothing is imported where no test wants them."""

import itertools

import pytest

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL of our own."""
    from servers import PostgresServer  # its client is not installed everywhere

    server = PostgresServer()
    yield server
    server.close()


@pytest.fixture
def postgres_schema(postgres):
    """The address of an empty schema."""
    import psycopg

    name = f"test_{next(_numbers)}"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
    return f"{postgres.url}?options=-csearch_path%3D{name}"


@pytest.fixture(scope="session")
def redis_server():
    """A Valkey of our own."""
    from servers import RedisServer

    server = RedisServer()
    yield server
    server.close()
