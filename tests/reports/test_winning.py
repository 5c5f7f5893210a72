"""What won is told as a difference from the default, with commands that a shell takes."""

import shlex

import pytest

from trialwise.base.runs import RunFolder
from trialwise.reports.winning import FEED_FORWARD_PARAMS, more_chapter, winning_chapter

DEFAULT = {"number": 0, "params": {"rate": 0.1, "kind": "a", "width": 1.0}, "value": 0.5}
BEST = {"number": 7, "params": {"rate": 0.03, "kind": "a", "width": 1.0}, "value": 0.9}
TRAIN = {"network": {"family": "residual"}}


@pytest.fixture
def run(tmp_path):
    """A tuned classifier in a folder whose name no shell would take unquoted."""
    settings = {"data": "/my images/a'b", "data_dir": None, "train": TRAIN}
    made = RunFolder.create("image-tune", settings, seed=5, out=tmp_path / "a $run")
    made.record["result"] = {"best": BEST, "default": DEFAULT}
    for name in ("best.toml", "model.safetensors"):
        (made.path / name).touch()
    return made


def test_only_what_differs_is_in_the_table_and_the_rest_in_a_sentence(run):
    (chapter,) = winning_chapter(run)
    assert chapter.sentences == ("Trial 7 changes 1 of the 3 tuned settings. As in the default: kind a, width 1.",)
    assert chapter.tables[0].rows == (("rate", "0.1", "0.03"),)


def test_the_commands_survive_a_shell_and_name_files_that_are_there(run):
    (chapter,) = winning_chapter(run)
    _, commands, files = chapter.tables
    words = shlex.split(commands.rows[0][1])
    toml = str(run.path / "best.toml")
    assert words == ["trialwise", "image", "train", "/my images/a'b", "--config", toml, "--seed", "5"]
    assert [row[0] for row in files.rows] == [toml, str(run.path / "model.safetensors")]


def test_a_default_that_won_and_a_study_without_one_say_so(run):
    run.record["result"] = {"best": DEFAULT, "default": DEFAULT}
    assert winning_chapter(run)[0].sentences == ("The untuned default itself won: there is nothing to change.",)
    run.record["result"] = {"best": BEST, "default": None}
    assert "no untuned default" in winning_chapter(run)[0].sentences[0]
    run.record["result"] = {"best": None, "default": DEFAULT}
    assert winning_chapter(run) == ()


def test_what_was_not_made_yet_is_named_with_its_command(run, tmp_path):
    rows = more_chapter(run).tables[0].rows
    commands = [shlex.split(row[1])[1:3] for row in rows]
    assert commands[:3] == [["image", "evaluate"], ["image", "explain"], ["image", "train"]]
    assert str(FEED_FORWARD_PARAMS) in rows[2][1]
    wide = {"data": "digits", "train": {"network": {"family": "feed_forward"}}}
    beside = RunFolder.create("image-train", wide, seed=5, out=tmp_path / "wide")
    assert len(more_chapter(run, [run, beside]).tables[0].rows) == 2
    run.record["evaluation"] = {"test": {}}
    (run.path / "explain").mkdir()
    (run.path / "explain" / "explanation.json").touch()
    run.record["settings"]["train"] = {"network": {"family": "feed_forward"}}
    assert more_chapter(run).tables == ()
