import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialwise.base.passwords import without_passwords


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://me:secret@host/db", "postgresql://me@host/db"),
        ("--storage=postgresql+psycopg://me:se@cr:et@host:1/db", "--storage=postgresql+psycopg://me@host:1/db"),
        ("postgresql://:secret@host/db", "postgresql://@host/db"),
        ("postgresql://me@corp:secret@db.corp/studies", "postgresql://me@corp@db.corp/studies"),
        (
            "postgresql://me@host/db?password=secret&sslmode=require",
            "postgresql://me@host/db?password=***&sslmode=require",
        ),
        ("host=h password=secret dbname=d", "host=h password=*** dbname=d"),
        ("could not open postgresql://me:secret@host/db twice", "could not open postgresql://me@host/db twice"),
        ("postgresql://me@host:5432/db", "postgresql://me@host:5432/db"),
        ("sqlite:////home/me/a.db", "sqlite:////home/me/a.db"),
        ("--param x=-5:5", "--param x=-5:5"),
    ],
)
def test_passwords_are_left_out_and_nothing_else(text, shown):
    assert without_passwords(text) == shown


@given(
    st.sampled_from(["me", "me@corp", "", "m%40e"]), st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1)
)
def test_no_password_survives_whatever_is_in_it(user, password):
    text = without_passwords(f"postgresql://{user}:<{password}>@host/db")
    assert text == f"postgresql://{user}@host/db"
