import pytest

from trialwise.base.errors import UserError
from trialwise.integrations.storage_urls import (
    connect_arguments,
    for_optuna,
    lock_key,
    place_of,
    sqlite_file,
    storage_url,
)


@pytest.mark.parametrize(
    ("given", "kept", "password"),
    [
        ("postgresql://me:s%40c@host:5433/db", "postgresql://me@host:5433/db", "s@c"),
        ("postgres://me:top/secret@host/db", "postgresql://me@host/db", "top/secret"),
        ("postgresql+psycopg://me@host/db?sslmode=require", "postgresql://me@host/db?sslmode=require", None),
        ("postgresql://me@host2/db?password=query", "postgresql://me@host2/db", "query"),
        ("postgresql:///db?host=/run/postgresql", "postgresql:///db?host=%2Frun%2Fpostgresql", None),
    ],
)
def test_the_kept_url_has_no_password_and_the_connection_has_it(given, kept, password):
    assert storage_url(given) == kept
    assert storage_url(kept) == kept
    assert connect_arguments(kept, who="test").get("password") == password


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("nonsense", "expected sqlite:///FILE or postgresql"),
        ("mysql://me:secret@host/db", "expected sqlite:///FILE or postgresql"),
        ("postgresql+psycopg2://me:secret@host/db", "expected sqlite:///FILE or postgresql"),
        ("postgresql://me:secret@host:port/db", "expected sqlite:///FILE or postgresql"),
        ("postgresql://me:secret@host", "which database"),
        ("postgresql://me:se@cret@host/db", "more than one @"),
        ("postgresql://me@corp:se@cret@host/db", "more than one @"),
        ("postgresql://me:my secret@host/db", "a space in the URL"),
        ("postgresql://me:secret@host/db?sslpassword=secret", "no place in a URL"),
        ("sqlite://", "in memory would be lost"),
        ("sqlite:///:memory:", "in memory would be lost"),
        ("sqlite:///a.db?mode=ro", "nothing after it"),
        ("sqlite:///nowhere/a.db", "there is no folder"),
        ("sqlite:///.", "is a folder"),
    ],
)
def test_what_is_no_storage_is_one_clear_error_without_the_password(given, message):
    with pytest.raises(UserError, match=message) as caught:
        storage_url(given)
    assert "cret" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("name", ["a.db", "with space.db", "{curly}.db", "per%25cent.db", "ha#sh.db", "ünï.db"])
def test_a_sqlite_path_is_kept_absolute_whatever_is_in_its_name(tmp_path, name):
    path = tmp_path / name.replace("%25", "%")
    kept = storage_url(f"sqlite:///{name}")
    assert sqlite_file(kept) == path
    assert sqlite_file(storage_url(kept)) == path
    assert sqlite_file(for_optuna(kept).format(SCHEMA_VERSION=1)) == path
    assert place_of(kept) == str(path)


def test_what_the_url_says_goes_before_our_own_ways_of_connecting():
    kept = storage_url("postgresql://me@host/db?connect_timeout=3")
    assert "connect_timeout" not in connect_arguments(kept, who="test")


def test_locks_of_studies_are_their_own():
    keys = {lock_key(f"study {number}") for number in range(1000)}
    assert len(keys) == 1000
    assert all(0 <= key < 2**63 for key in keys)
