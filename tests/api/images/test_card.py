"""The model card says what was measured, in a form that Hugging Face reads."""

import json

import pytest
import yaml

from trialwise import api
from trialwise.base.runs import RunFolder
from trialwise.cli.app import run


@pytest.fixture
def training(write_images, tmp_path, capsys):
    """A training on classes whose names would mean something to Markdown, HTML and YAML."""
    folder = write_images(tmp_path / "odd: # name", {"cats` <b>": 10, "dogs": 10})
    assert run(["image", "train", str(folder), "--epochs", "1", "--max-params", "5000", "--out", "training"]) == 0
    capsys.readouterr()
    return "training"


def parts(path):
    _, front, body = path.read_text().split("---\n", 2)
    return yaml.safe_load(front), body


def test_a_card_has_a_test_result_only_once_the_test_images_were_read(training, tmp_path, capsys):
    assert run(["image", "card", training]) == 0
    assert "without a test result" in capsys.readouterr().out
    front, body = parts(tmp_path / "training" / "README.md")
    assert front == {
        "library_name": "trialwise",
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", "trialwise", "pytorch"],
    }
    assert "Test accuracy" not in body
    assert "`cats' <b>`" in body

    found = api.evaluate(training)
    assert run(["image", "card", training, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    front, body = parts(tmp_path / "training" / "README.md")
    (model,) = front["model-index"]
    (result,) = model["results"]
    assert model["name"] == "training"
    assert result["task"] == {"type": "image-classification"}
    assert result["dataset"]["name"] == found["data"]["name"]
    assert result["metrics"][0]["value"] == found["test"]["accuracy"] == document["test"]["accuracy"]
    low, high = found["test"]["ci95"]
    assert f"95 % interval {low:.2%} to {high:.2%}" in body
    assert found["data"]["content_sha256"] in body
    opened = RunFolder.open(training)
    assert f"Seed {opened.seed}" in body
    parameters = opened.result["n_params"]
    assert f"{parameters:,} parameters" in body


def test_what_the_card_says_of_loading_is_true(training, tmp_path, capsys):
    api.card(training)
    _, body = parts(tmp_path / "training" / "README.md")
    code = body.split("```python\n")[1].split("```")[0]
    moved = tmp_path / "moved"
    moved.mkdir()
    for name in ("run.json", "model.json", "model.safetensors"):
        (moved / name).write_bytes((tmp_path / "training" / name).read_bytes())
    photo = next((tmp_path / "odd: # name").rglob("*.png"))
    exec(code.replace("FOLDER", str(moved)).replace("photo.png", str(photo)), {})
    assert "cats` <b>" in capsys.readouterr().out


def test_an_earlier_file_is_not_overwritten_and_other_runs_have_no_card(training, tmp_path, capsys):
    (tmp_path / "MINE.md").write_text("mine")
    assert run(["image", "card", training, "--out", "MINE.md"]) == 2
    assert (tmp_path / "MINE.md").read_text() == "mine"
    RunFolder.create("optimize", {}, seed=0, out=tmp_path / "other").finish({})
    assert run(["image", "card", "other"]) == 2
    assert "expected one of image train or image tune" in capsys.readouterr().err


def test_the_card_names_the_network_that_was_trained(write_images, tmp_path, capsys):
    folder = write_images(tmp_path / "two kinds", {"cats": 10, "dogs": 10})
    wide = ["--set", "family=feed_forward", "--set", "optimizer=adamw", "--epochs", "1", "--max-params", "5000"]
    assert run(["image", "train", str(folder), *wide, "--out", "wide"]) == 0
    assert run(["image", "card", "wide"]) == 0
    capsys.readouterr()
    _, body = parts(tmp_path / "wide" / "README.md")
    assert "A feed-forward net of " in body
    assert "residual" not in body
