"""The guide to other tools says what is so: its recipe runs, and its commands are there."""

import re
import sys
from pathlib import Path
from types import ModuleType

from trialwise import api
from trialwise.cli.app import run

GUIDE = (Path(__file__).parents[2] / "docs" / "guides" / "other-tools.md").read_text()
MODEL = """
def objective(config, trial):
    for epoch in trial.remaining_epochs():
        if config["x"] > 0.5:
            raise ValueError("too large")
        yield config["x"] ** 2 + 1 / epoch
"""


class Recorded:
    """What the recipe does to one run of W&B."""

    def __init__(self, **given):
        self.given, self.rows, self.summary, self.exit_code = given, [], {}, None

    def log(self, row, *, step):
        self.rows.append((step, row))

    def finish(self, *, exit_code):
        self.exit_code = exit_code


def test_the_recipe_for_wandb_sends_every_trial(tmp_path, monkeypatch, capsys):
    (tmp_path / "own_model.py").write_text(MODEL)
    given = ["tune", "own_model:objective", "--param", "x=-1.0:1", "--epochs", "3", "--trials", "4", "--workers", "1"]
    assert run([*given, "--out", "study"]) == 0
    capsys.readouterr()
    (recipe,) = [code for code in re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL) if "wandb" in code]
    sent = []
    stub = ModuleType("wandb")
    stub.init = lambda **kwargs: sent.append(Recorded(**kwargs)) or sent[-1]
    monkeypatch.setitem(sys.modules, "wandb", stub)
    names = {}
    exec(recipe, names)
    names["send"]("study", "mine")
    shown = api.show_study("study")
    assert [each.given["config"] for each in sent] == [trial["params"] for trial in shown["trials"]]
    assert [each.rows for each in sent] == [
        [(epoch, {"score": score}) for epoch, score in trial["scores"].items()] for trial in shown["trials"]
    ]
    assert [each.exit_code for each in sent] == [int(trial["state"] == "failed") for trial in shown["trials"]]
    assert [each.summary["is_best"] for each in sent].index(True) == shown["best"]["number"]
    assert len(recipe.splitlines()) <= 25


def test_every_command_of_the_guide_is_one(capsys):
    blocks = "".join(re.findall(r"```bash\n(.*?)```", GUIDE, re.DOTALL))
    lines = [line.split("  #")[0].split() for line in blocks.splitlines() if line.startswith("trialwise ")]
    assert len(lines) >= 5
    for words in lines:
        command = [word for word in words[1:] if not word.startswith("-")]
        verb = command[:2] if command[0] in ("image", "study", "price") else command[:1]
        assert run([*verb, "--help"]) == 0
        text = capsys.readouterr().out
        assert all(word in text for word in words if word.startswith("--")), words
