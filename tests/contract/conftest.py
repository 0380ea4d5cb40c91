"""Servers that the storage tests share, one of each a test process."""

import itertools

import psycopg
import pytest
from servers import PostgresServer, RedisServer

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def postgres():
    """A PostgreSQL of our own."""
    server = PostgresServer()
    yield server
    server.close()


@pytest.fixture
def postgres_schema(postgres):
    """The address of an empty schema."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
    return f"{postgres.url}?options=-csearch_path%3D{name}"


@pytest.fixture(scope="session")
def redis_server():
    """A Valkey of our own."""
    server = RedisServer()
    yield server
    server.close()
