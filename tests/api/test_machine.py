"""The doctor says what is there, and is not deceived."""

import importlib
import sys
import types

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
    assert "locked, written and read again" in checks(found)["storage"]["found"]
    assert "usable cores are free" in checks(found)["cores"]["found"]
    assert "GB used" in checks(found)["cache folder"]["found"]


def test_a_kept_verdict_on_the_number_format_that_no_longer_holds_is_named(monkeypatch):
    import torch

    from trialwise.training import device

    verdicts = {
        torch.bfloat16: "bfloat16: right and 2.0x faster",
        torch.float32: "float32: bfloat16 gives wrong results",
    }
    kept, now = (device.NumberFormat(dtype=dtype, reason=reason) for dtype, reason in verdicts.items())
    monkeypatch.setattr(device, "number_format", lambda _: kept)
    monkeypatch.setattr(device, "tested_number_format", lambda _: now)
    check = checks(verb())["number format"]
    assert check["ok"]
    assert check["found"] == now.reason
    assert f"earlier test ({kept.reason})" in check["hint"]
    assert "number_formats.json" in check["hint"]


def test_a_study_that_cannot_be_read_again_is_an_illness(monkeypatch):
    from trialwise.tuning.studies import Study

    monkeypatch.setattr(Study, "enqueue", lambda self, params: None)
    found = verb()
    assert not found["ok"]
    assert "TRIALWISE_RUNS_DIR" in checks(found)["storage"]["hint"]


def test_a_folder_that_cannot_be_written_is_named_with_its_variable(monkeypatch, tmp_path, capsys):
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("TRIALWISE_RUNS_DIR", str(file / "runs"))
    assert run(["doctor"]) == 1
    printed = capsys.readouterr()
    assert "WRONG runs folder" in printed.out
    assert "TRIALWISE_RUNS_DIR" in printed.out
    assert "Something is wrong with: runs folder, storage." in printed.err


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


def test_a_verb_is_a_function_however_often_it_is_asked_for():
    for name in api.__all__:
        importlib.import_module(f"trialwise.api.{api._HOMES[name]}")
        assert callable(getattr(api, name)) or name == "Watch"
        assert getattr(api, name) is getattr(api, name)
        assert not isinstance(getattr(api, name), types.ModuleType)
