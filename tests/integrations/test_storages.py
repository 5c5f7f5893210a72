"""Studies in real databases: SQLite, and a PostgreSQL server that is killed and restarted."""

import os
import signal
import threading
from types import SimpleNamespace

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState
from postgres_server import PASSWORD
from sqlalchemy import make_url

from trialwise.base.errors import UserError, WorkError
from trialwise.integrations import storage_urls
from trialwise.integrations.steady_storage import ConnectionLost, SteadyStorage
from trialwise.integrations.storage_urls import storage_url
from trialwise.integrations.storages import driver_of, driving, prepare, reading, study_names
from trialwise.tuning.studies import Study

X = {"x": FloatDistribution(0, 1)}


@pytest.fixture(autouse=True)
def no_other_password(monkeypatch):
    monkeypatch.setattr(storage_urls, "_passwords", {})
    monkeypatch.setenv("PGPASSFILE", "/nowhere")
    monkeypatch.delenv("PGPASSWORD", raising=False)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return storage_url(f"sqlite:///{tmp_path}/studies.db")
    return storage_url(request.getfixturevalue("postgres_url"))


def silent(text):
    pass


def run_trials(study, numbers):
    for number in numbers:
        study.ask(number, optuna.samplers.RandomSampler(seed=number), X)
        study.report(number, 1, number / 8, {"note": number})
        study.tell(number, TrialState.COMPLETE, value=number / 8)


def test_a_study_in_a_database_is_read_back_as_it_was_written(url, tmp_path):
    with driving(url, "one", say=silent) as storage:
        study = Study(tmp_path, "minimize", storage=storage, name="one")
        run_trials(study, range(3))
        written = study.records()
    with reading(url) as storage:
        assert Study(tmp_path, storage=storage, name="one").records() == written
        assert study_names(storage) == ["one"]
        with pytest.raises(UserError, match="holds no study two"):
            Study(tmp_path, storage=storage, name="two")
    assert [record.scores for record in written] == [{1: 0.0}, {1: 0.125}, {1: 0.25}]
    assert [record.notes for record in written] == [{"note": 0}, {"note": 1}, {"note": 2}]


def test_two_studies_in_one_database_do_not_mix(url, tmp_path):
    for name, count in (("one", 2), ("two", 3)):
        with driving(url, name, say=silent) as storage:
            run_trials(Study(tmp_path, "minimize", storage=storage, name=name), range(count))
    with reading(url) as storage:
        assert study_names(storage) == ["one", "two"]
        assert len(Study(tmp_path, storage=storage, name="one").records()) == 2
        assert len(Study(tmp_path, storage=storage, name="two").records()) == 3


def test_many_may_make_the_tables_at_once(url):
    together, failures = threading.Barrier(6), []

    def make():
        together.wait()
        try:
            prepare(url)
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=make) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_study_of_several_goals_is_not_ours(url, tmp_path):
    with driving(url, "one", say=silent) as storage:
        optuna.create_study(storage=storage, study_name="two goals", directions=["minimize", "maximize"])
    with reading(url) as storage, pytest.raises(UserError, match="the study two goals has 2 goals"):
        Study(tmp_path, storage=storage, name="two goals")


def test_optuna_opens_it_unchanged(url, tmp_path, postgres_url):
    with driving(url, "one", say=silent) as storage:
        run_trials(Study(tmp_path, "maximize", storage=storage, name="one"), range(4))
    plain = url if url.startswith("sqlite") else str(postgres_url)
    storage = optuna.storages.RDBStorage(plain)
    study = optuna.load_study(study_name="one", storage=storage)
    assert [trial.value for trial in study.trials] == [0.0, 0.125, 0.25, 0.375]
    assert study.best_trial.number == 3
    storage.remove_session()
    storage.engine.dispose()


def test_an_old_schema_is_one_clear_error(url, tmp_path):
    with driving(url, "one", say=silent) as storage, storage._inner._backend.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'v2.6.0.a'")
    for opened in (lambda: reading(url), lambda: driving(url, "one", say=silent)):
        with pytest.raises(UserError, match="another version of Optuna") as caught, opened():
            pass
        assert "optuna storage upgrade" in caught.value.hint


def test_an_empty_database_holds_no_studies(url, tmp_path):
    with pytest.raises(UserError, match=r"no such file|holds no studies"), reading(url):
        pass
    assert list(tmp_path.glob("*.db")) == []


def test_a_file_that_is_no_database(tmp_path):
    (tmp_path / "a.db").write_text("hello " * 100)
    with pytest.raises(UserError, match="not a database"), reading(storage_url(f"sqlite:///{tmp_path}/a.db")):
        pass


def test_the_server_killed_in_the_middle_loses_and_doubles_nothing(postgres_server, postgres_url, tmp_path):
    url, said = storage_url(postgres_url), []
    with driving(url, "one", say=said.append) as storage:
        study = Study(tmp_path, "minimize", storage=storage, name="one")
        run_trials(study, range(3))
        postgres_server.kill()
        back = threading.Timer(1.0, postgres_server.start)
        back.start()
        run_trials(study, range(3, 6))
        back.join()
        postgres_server.restart()
        run_trials(study, range(6, 8))
        assert driver_of(url, "one") is not None, "the lock is taken again after each restart"
    assert [text.split(" is ")[1].split(" ")[0] for text in said] == ["away", "back", "away", "back"]
    assert driver_of(url, "one") is None
    with reading(url) as storage:
        records = Study(tmp_path, storage=storage, name="one").records()
    assert [(r.number, r.state, r.value, r.scores) for r in records] == [
        (number, "complete", number / 8, {1: number / 8}) for number in range(8)
    ]
    assert PASSWORD not in "".join(said)


def test_patience_ends_and_what_follows_does_not_wait_again(postgres_server, postgres_url, tmp_path):
    with driving(storage_url(postgres_url), "one", say=silent, patience_seconds=0.5) as storage:
        study = Study(tmp_path, "minimize", storage=storage, name="one")
        postgres_server.stop()
        try:
            for _ in range(2):
                with pytest.raises(WorkError, match="cannot be reached") as caught:
                    study.records()
        finally:
            postgres_server.start()
    assert "study resume" in caught.value.hint
    assert PASSWORD not in str(caught.value)


def test_two_drivers_at_once_are_refused_and_readers_are_not(postgres_url, tmp_path):
    url = storage_url(postgres_url)
    with driving(url, "one", say=silent) as storage:
        Study(tmp_path, "minimize", storage=storage, name="one")
        with pytest.raises(UserError, match=r"running now: trialwise .* session"), driving(url, "one", say=silent):
            pass
        with driving(url, "other", say=silent), reading(url) as read:
            assert study_names(read) == ["one"]
    with driving(url, "one", say=silent):
        pass


def test_a_driver_that_lost_its_lock_to_another_may_not_write(postgres_server, postgres_url, tmp_path):
    url = storage_url(postgres_url)
    with driving(url, "one", say=silent) as storage:
        study = Study(tmp_path, "minimize", storage=storage, name="one")
        run_trials(study, range(1))
        postgres_server.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'trialwise%'"
        )
        with driving(url, "one", say=silent) as second:
            run_trials(Study(tmp_path, storage=second, name="one"), range(1, 2))
            with pytest.raises(UserError, match="running now"):
                study.report(0, 2, 0.5, {})


def test_a_session_of_ours_that_the_server_holds_for_alive_is_ended(postgres_url, tmp_path):
    url = storage_url(postgres_url)
    with driving(url, "one", say=silent) as storage:
        study = Study(tmp_path, "minimize", storage=storage, name="one")
        run_trials(study, range(1))
        engine = storage._inner._backend.engine
        lost, engine.pool = engine.pool, engine.pool.recreate()  # a connection gone unknown to the server
        run_trials(study, range(1, 2))
        assert len(study.records()) == 2
        lost.dispose()


def test_ctrl_c_in_the_middle_of_a_call_is_not_taken_for_a_lost_connection(postgres_url, tmp_path):
    url, said = storage_url(postgres_url), []
    with driving(url, "one", say=said.append) as storage:
        study = Study(tmp_path, "minimize", storage=storage, name="one")
        run_trials(study, range(1))
        inner = storage._inner._backend

        def slow(*arguments):
            with inner.engine.connect() as connection:
                connection.exec_driver_sql("SELECT pg_sleep(20)")

        inner.get_all_studies, plain = slow, inner.get_all_studies
        threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            storage.get_all_studies()
        inner.get_all_studies = plain
        run_trials(study, range(1, 2))
        assert len(study.records()) == 2
        assert driver_of(url, "one") is not None
    assert said == []


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"password": None}, UserError, "asks for a password"),
        ({"password": "wrong-one"}, UserError, "password authentication failed"),
        ({"database": "nosuch"}, UserError, '"nosuch" does not exist'),
        ({"port": 1}, WorkError, "cannot be reached"),
        ({"host": "no.such.host.invalid"}, WorkError, "cannot be reached"),
    ],
)
def test_a_database_that_cannot_be_opened_is_one_clear_error(postgres_url, change, error, message):
    changed = make_url(postgres_url).set(**change) if change != {"password": None} else None
    given = (
        changed.render_as_string(hide_password=False) if changed else postgres_url.replace(_secret(postgres_url), "")
    )
    for opened in (lambda: reading(storage_url(given)), lambda: driving(storage_url(given), "x", say=silent)):
        with pytest.raises(error, match=message) as caught, opened():
            pass
        assert caught.value.hint
        assert PASSWORD not in str(caught.value)
        assert "wrong-one" not in str(caught.value)


def _secret(url):
    return url[url.index(":", 12) : url.rindex("@")]


def test_the_password_may_come_from_the_environment(postgres_url, monkeypatch, tmp_path):
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    with driving(storage_url(postgres_url.replace(_secret(postgres_url), "")), "one", say=silent):
        pass


def test_without_psycopg_the_extra_is_named(postgres_url, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="psycopg") as caught, reading(storage_url(postgres_url)):
        pass
    assert "trialwise[postgres]" in caught.value.hint


class Flaky:
    """An in-memory storage that loses the connection before or after a call was carried out."""

    def __init__(self):
        self.inner = optuna.storages.InMemoryStorage()
        self.fail = None  # (name of the call, "before" or "after")

    def __getattr__(self, name):
        def call(*arguments, **named):
            when = self.fail[1] if self.fail and self.fail[0] == name else None
            self.fail = None if when else self.fail
            if when == "before":
                raise ConnectionLost("cut")
            result = getattr(self.inner, name)(*arguments, **named)
            if when == "after":
                raise ConnectionLost("cut")
            return result

        return call


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "name",
    [
        "create_new_study",
        "create_new_trial",
        "set_trial_param",
        "set_trial_intermediate_value",
        "set_trial_user_attr",
        "set_trial_state_values",
        "get_all_trials",
    ],
)
def test_a_call_lost_before_or_after_it_was_carried_out_counts_once(name, when, tmp_path):
    def walk(storage):
        study = Study(tmp_path, "minimize", storage=storage, name="one")
        study.enqueue({"x": 0.5})
        run_trials(study, range(3))
        return [(r.number, r.state, r.params, r.value, r.scores, r.notes) for r in study.records()]

    def steady(inner):
        return SteadyStorage(inner, place="here", patience_seconds=5, say=silent, hint="")

    whole = walk(steady(Flaky()))
    for count in range(3):  # each of the first calls of that name
        flaky = Flaky()
        calls = SimpleNamespace(left=count)
        plain = type(flaky).__getattr__

        def later(self, called, plain=plain, calls=calls):
            if called == name and calls.left == 0:
                self.fail = (name, when)
            calls.left -= called == name
            return plain(self, called)

        flaky_type = type("FlakyLater", (Flaky,), {"__getattr__": later})
        assert walk(steady(flaky_type())) == whole
