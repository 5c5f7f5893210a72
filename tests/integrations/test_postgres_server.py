"""The server that other tests rely on: it asks for passwords, and comes back after being killed."""

import psycopg
import pytest
from postgres_server import PASSWORD
from sqlalchemy import make_url


def connect(url, **changes):
    parts = make_url(url).translate_connect_args(username="user", database="dbname")
    return psycopg.connect(**(parts | changes), connect_timeout=5)


def ask(url, question):
    with connect(url) as connection:
        return connection.execute(question).fetchall()


def test_it_wants_the_password(postgres_url):
    assert ask(postgres_url, "SELECT 1") == [(1,)]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connect(postgres_url, password=PASSWORD + "x")


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_what_was_committed_outlives_the_server(postgres_server, postgres_url, how):
    with connect(postgres_url) as connection:
        connection.execute("CREATE TABLE kept (number integer)")
        connection.execute("INSERT INTO kept VALUES (7)")
    open_when_it_dies = connect(postgres_url)
    getattr(postgres_server, how)()
    assert not postgres_server.answers()
    with pytest.raises(psycopg.OperationalError):
        open_when_it_dies.execute("SELECT 1")
    open_when_it_dies.close()
    postgres_server.start()
    assert ask(postgres_url, "SELECT number FROM kept") == [(7,)]


def test_every_test_has_a_database_of_its_own(postgres_server, postgres_url):
    assert ask(postgres_url, "SELECT tablename FROM pg_tables WHERE tablename = 'kept'") == []
