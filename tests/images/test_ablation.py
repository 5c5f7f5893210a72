import json

import pytest

from trialwise.base.settings import fill
from trialwise.cli.app import run
from trialwise.images.ablation import effects, ingredients
from trialwise.images.settings import TrainSettings, resolve


def names(**changes):
    settings = resolve(fill(TrainSettings, changes), n_train=1000, image_size=32, channels=3)
    return [ingredient.name for ingredient in ingredients(settings)]


def test_what_a_recipe_lacks_cannot_be_taken_away_and_dropout_is_brought_in():
    everything = ["BatchNorm", "residual connections", "augmentation", "weight decay", "label smoothing"]
    assert names() == ["dropout of 0.2", *everything, "mirrored filters"]
    assert names(dropout=0.1)[0] == "dropout"
    assert names(flip="off", shift=0, batch_norm=False, weight_decay=0.0) == [
        "dropout of 0.2",
        "residual connections",
        "label smoothing",
    ]
    assert "residual connections" not in names(family="plain")


def test_every_change_fits_the_settings_it_was_made_for():
    settings = resolve(TrainSettings(), n_train=1000, image_size=32, channels=3)
    for ingredient in ingredients(settings):
        assert fill(TrainSettings, ingredient.changes) != TrainSettings(), ingredient.name


def test_an_effect_is_the_mean_of_paired_differences_with_its_interval():
    found = ingredients(resolve(TrainSettings(), n_train=1000, image_size=32, channels=3))
    base = {0: 0.90, 1: 0.92, 2: 0.94}
    varied = {"BatchNorm": {0: 0.80, 1: 0.81, 2: 0.85}, "dropout of 0.2": {0: 0.91, 1: 0.93}, "weight decay": {}}
    rows = {row["name"]: row for row in effects(base, varied, found)}
    assert rows["BatchNorm"]["effect"] == pytest.approx(0.1)
    assert rows["BatchNorm"]["ci95"][0] < 0.1 < rows["BatchNorm"]["ci95"][1]
    assert rows["dropout of 0.2"]["effect"] == pytest.approx(0.01)  # brought in, it helped
    assert rows["dropout of 0.2"]["failed"] == 1
    assert rows["weight decay"]["effect"] is None
    assert rows["weight decay"]["ci95"] is None


def test_the_command_trains_every_kind_over_seeds(tmp_path, write_images, capsys):
    colours = write_images(tmp_path / "colours", {"red": 20, "green": 20})
    given = ["image", "ablate", str(colours), "--epochs", "2", "--seeds", "2", "--max-params", "8000"]
    assert run([*given, "--workers", "2", "--out", str(tmp_path / "run"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "trialwise.image-ablate/1"
    assert len(document["base"]["values"]) == 2
    assert [row["failed"] for row in document["effects"]] == [0] * 7
    assert all(len(row["differences"]) == 2 for row in document["effects"])
    page = (tmp_path / "run" / "report.html").read_text()
    assert "mirrored filters" in page
    assert run([*given[:3], "--seeds", "0"]) == 2
    assert "--seeds: expected at least 1" in capsys.readouterr().err
