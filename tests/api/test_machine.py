"""The doctor says what is there, and is not deceived."""

import importlib
import sys
import types

import pytest

from trialwise import api
from trialwise.api import doctor as verb
from trialwise.cli.app import run


def checks(document):
    return {check["name"]: check for check in document["checks"]}


def test_a_machine_that_can_work_is_well():
    found = verb()
    assert found["ok"], found["checks"]
    assert checks(found)["device"]["found"]
    assert "float" in checks(found)["number format"]["found"]
    assert found["versions"]["torch"] in checks(found)["packages"]["found"]


def test_a_folder_that_cannot_be_written_is_named_with_its_variable(monkeypatch, tmp_path, capsys):
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("TRIALWISE_RUNS_DIR", str(file / "runs"))
    assert run(["doctor"]) == 1
    printed = capsys.readouterr()
    assert "WRONG runs folder" in printed.out
    assert "TRIALWISE_RUNS_DIR" in printed.out
    assert "Something is wrong with: runs folder." in printed.err


def test_a_check_that_raises_is_one_that_failed(monkeypatch):
    module = sys.modules["trialwise.api.machine"]
    monkeypatch.setattr(module, "cache_folder", lambda: 1 / 0)
    found = verb()
    assert not found["ok"]
    assert "ZeroDivisionError" in checks(found)["cache folder"]["found"]


def test_an_extra_that_is_missing_is_no_illness(monkeypatch):
    module = sys.modules["trialwise.api.machine"]
    monkeypatch.setattr(module, "EXTRAS", {"moon": ("no_such_package", "howling")})
    found = verb()
    assert found["ok"]
    assert checks(found)["extra moon"]["hint"] == "howling: pip install trialwise[moon]"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_names_the_commands(shell, capsys):
    assert run(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "backtest" in script
    assert "trialwise" in script


def test_a_verb_is_a_function_however_often_it_is_asked_for():
    for name in api.__all__:
        importlib.import_module(f"trialwise.api.{api._HOMES[name]}")
        assert callable(getattr(api, name)) or name == "Watch"
        assert getattr(api, name) is getattr(api, name)
        assert not isinstance(getattr(api, name), types.ModuleType)
