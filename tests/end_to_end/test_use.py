"""A trained model explained, used and exported as a user does it, on the digits and on a small folder of colours."""

import csv
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trialwise import api
from trialwise.cli.app import run

QUICK = ["--epochs", "2", "--max-params", "8000"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder of colours, with a model trained on it, and one trained on the digits."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRIALWISE_CACHE_DIR", str(folder / "cache"))
        patch.chdir(folder)
        for number, name in enumerate(["red", "green", "blue"]):
            generator = np.random.default_rng(number)
            (folder / "colours" / name).mkdir(parents=True)
            for image in range(30):
                pixels = generator.integers(0, 150, (12, 12, 3), dtype=np.uint8)
                pixels[..., number] += 60
                Image.fromarray(pixels).save(folder / "colours" / name / f"{image:03}.png")
        assert run(["image", "train", "colours", *QUICK, "--out", "colour-run"]) == 0
        assert run(["image", "train", "digits", *QUICK, "--out", "digit-run"]) == 0
    return folder


@pytest.fixture(autouse=True)
def copied(trained, tmp_path, monkeypatch):
    """Each test has a copy of its own, so that none sees what another left."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("TRIALWISE_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def command(capsys):
    """A function that runs a command in this process: (stdout, stderr) of one that must end with `code`."""

    def call(*arguments, code=0):
        capsys.readouterr()
        assert run([str(argument) for argument in arguments]) == code, capsys.readouterr().err
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return out, err

    return call


def test_predictions_are_csv_on_stdout_and_broken_files_are_named_on_stderr(command):
    Path("colours/red/005.png").write_text("prose")
    out, err = command("image", "predict", "colour-run", "colours/red", "--top", 2)
    rows = list(csv.DictReader(io.StringIO(out)))
    assert len(rows) == 29
    assert list(rows[0]) == ["file", "class", "probability", "class_2", "probability_2"]
    assert rows[0]["file"] == "colours/red/000.png"
    assert float(rows[0]["probability"]) >= float(rows[0]["probability_2"])
    assert "left out: colours/red/005.png (not an image, whatever its name says)" in err


def test_predictions_as_one_document_and_in_a_folder(command):
    Path("colours/red/005.png").write_text("prose")
    out, _ = command("image", "predict", "colour-run", "colours/*/00*.png", "--json", "--top", 9)
    found = json.loads(out)
    assert found["n"] == len(found["predictions"]) == 29
    assert found["left_out"] == [{"file": "colours/red/005.png", "reason": "not an image, whatever its name says"}]
    first = found["predictions"][0]
    assert first["top"][0] == {"class": first["class"], "probability": first["probability"]}
    assert sum(entry["probability"] for entry in first["top"]) == pytest.approx(1, abs=1e-4)
    out, _ = command("image", "predict", "colour-run", "colours", "--out", "predicted")
    assert out == "89 images classified: predicted/predictions.csv\n"
    assert len(Path("predicted/predictions.csv").read_text().splitlines()) == 90
    assert json.loads(Path("predicted/result.json").read_text())["n"] == 89


def test_what_cannot_be_predicted_ends_with_exit_2(command):
    Path("prose.png").write_text("prose")
    _, err = command("image", "predict", "colour-run", "prose.png", code=2)
    assert "none of 1 images can be read; the first is prose.png: not an image" in err
    Path("empty").mkdir()
    for arguments, message in [
        (["colour-run"], "at least one image file"),
        (["colour-run", "empty"], "there are no images in empty"),
        (["colour-run", "missing.png"], "no such file or folder: 'missing.png'"),
        (["colour-run", "colours", "--top", "0"], "--top: expected at least 1"),
        (["colours", "colours"], "is not a run folder"),
    ]:
        out, err = command("image", "predict", *arguments, code=2)
        assert out == ""
        assert message in err


def test_arrays_and_files_get_the_same_answers():
    files = sorted(Path("colours/green").iterdir())
    from_files = api.predict("colour-run", files)
    pixels = np.stack([np.asarray(Image.open(file)) for file in files])
    from_array = api.predict("colour-run", pixels, top=3)
    turned = api.predict("colour-run", np.ascontiguousarray(pixels[..., ::-1])[..., ::-1], top=3)
    np.testing.assert_array_equal(turned.top_NT, from_array.top_NT)
    assert from_array.names[:2] == ("0", "1")
    assert from_array.top_NT.shape == (30, 3)
    np.testing.assert_array_equal(from_files.top_NT[:, 0], from_array.top_NT[:, 0])
    np.testing.assert_allclose(from_files.probabilities_NT[:, 0], from_array.probabilities_NT[:, 0], atol=1e-5)


def test_an_explanation_of_digits_is_in_the_run_folder_and_its_report(command):
    out, _ = command("image", "explain", "digit-run", "--json")
    found = json.loads(out)
    assert found["images"] == "validation images of digits"
    assert found["n"] == found["n_labelled"] > 200
    assert found["n_wrong"] == round((1 - found["accuracy"]) * found["n"]) > 0
    assert sum(pair["n"] for pair in found["pairs"]) <= found["n_wrong"]
    files = {picture["file"] for picture in found["pictures"]}
    assert {"filters.png", "grad-cam.png", "worst-mistakes.png", "confusing-pairs.png"} <= files
    assert files | {"explanation.json"} == {path.name for path in Path("digit-run/explain").iterdir()}
    for picture in found["pictures"]:
        with Image.open(Path("digit-run/explain") / picture["file"]) as image:
            assert image.format == "PNG"
    page = Path("digit-run/report.html").read_text()
    assert page.count("data:image/png;base64,") == len(files)
    assert f"{found['n_wrong']} are classified wrongly" in page
    assert "Most confusing pairs among the validation images of digits" in page
    assert "://" not in page
    assert len(page) < 1_000_000
    # Explained again with another layer: the old pictures are gone, and the report shows the new ones.
    layer = found["layers"][0]["name"]
    again = json.loads(command("image", "explain", "digit-run", "--layer", layer, "--json")[0])
    files = {picture["file"] for picture in again["pictures"]}
    assert f"features-{layer}-1.png" in files
    assert files | {"explanation.json"} == {path.name for path in Path("digit-run/explain").iterdir()}


def test_an_explanation_never_reads_a_test_row(command, monkeypatch):
    opened = []
    load = np.load
    monkeypatch.setattr(
        np, "load", lambda path, *a, **k: opened.append((Path(path).name, k.get("mmap_mode"))) or load(path, *a, **k)
    )
    command("image", "explain", "digit-run")
    read = [name for name, mmap_mode in opened if mmap_mode is None]  # the shapes of all arrays are looked at
    assert read == ["train_images.npy", "train_labels.npy"]
    assert json.loads(Path("digit-run/run.json").read_text()).get("test_opened", 0) == 0


def test_an_explanation_of_files_goes_where_it_is_asked_to(command):
    before = Path("colour-run/report.html").read_text()
    files = ["colours/red/000.png", "colours/blue/000.png"]
    out, _ = command("image", "explain", "colour-run", *files, "--out", "looked", "--json")
    found = json.loads(out)
    assert found["n"] == 2
    assert (Path("looked") / "grad-cam.png").exists()
    assert not Path("colour-run/explain").exists()
    assert Path("colour-run/report.html").read_text() == before
    assert "report" not in found


def test_an_explanation_of_another_model_is_not_shown(command):
    command("image", "explain", "colour-run", "colours/red")
    assert "data:image/png" in Path("colour-run/report.html").read_text()
    model = Path("colour-run/model.safetensors")
    content = bytearray(model.read_bytes())
    content[-1] ^= 1
    model.write_bytes(content)
    command("report", "colour-run")
    assert "data:image/png" not in Path("colour-run/report.html").read_text()


def test_a_wrong_layer_and_unlabelled_images(command):
    _, err = command("image", "explain", "digit-run", "--layer", "stagess", code=2)
    assert "unknown layer 'stagess'" in err
    assert "did you mean" in err
    assert "the layers that have maps: " in err
    assert not Path("digit-run/explain").exists()
    shutil.copytree("colours/red", "photos")
    out, _ = command("image", "explain", "colour-run", "photos")
    assert "Explained on 30 images of photos, whose classes are not known." in out
    assert "worst-mistakes" not in out


def test_the_data_of_the_run_itself_means_its_validation_images(command, trained):
    found = json.loads(command("image", "explain", "colour-run", trained / "colours", "--json")[0])
    assert found["images"] == "validation images of colours"
    inside = json.loads(command("image", "explain", "colour-run", trained / "colours" / "red", "--json")[0])
    assert "peeking" in inside["notes"][0]


def test_a_model_is_exported_and_gives_the_same_answers(command):
    import onnxruntime

    out, err = command("image", "export", "colour-run", "--onnx", "--json")
    found = json.loads(out)
    assert err == ""
    assert found["largest_difference"] <= 1e-4
    session = onnxruntime.InferenceSession(found["file"], providers=["CPUExecutionProvider"])
    files = sorted(Path("colours/blue").iterdir())
    (probabilities,) = session.run(["probabilities"], {"images": np.stack([np.asarray(Image.open(f)) for f in files])})
    predicted = api.predict("colour-run", files, top=3)
    np.testing.assert_array_equal(probabilities.argmax(1), predicted.top_NT[:, 0])
    assert command("image", "export", "colour-run", code=2)[1].startswith("error: image export: expected a format")
    Path("mine.onnx").write_text("mine")
    assert (
        "the file exists already" in command("image", "export", "colour-run", "--onnx", "--out", "mine.onnx", code=2)[1]
    )
    assert Path("mine.onnx").read_text() == "mine"
