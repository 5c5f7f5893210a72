"""The ONNX file gives the model's answers in ONNX Runtime, or there is no file."""

import importlib.util
import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from trialwise.base.errors import UserError, WorkError
from trialwise.images.predict import predict_images, predictor
from trialwise.integrations import onnx_export
from trialwise.integrations.onnx_export import export_onnx


@pytest.mark.parametrize(("channels", "size", "n_classes"), [(3, 16, 5), (1, 8, 2)])
def test_the_file_gives_the_probabilities_of_the_model_for_batches_of_any_size(
    tmp_path, small_model, capfd, channels, size, n_classes
):
    saved = small_model(channels=channels, size=size, n_classes=n_classes)
    facts = export_onnx(saved, tmp_path / "model.onnx")
    assert capfd.readouterr() == ("", "")
    assert facts["input"]["shape"] == ["batch", size, size, channels]
    assert facts["largest_difference"] <= 1e-4
    assert facts["bytes"] == (tmp_path / "model.onnx").stat().st_size
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ""] == ["model.onnx"]  # and nothing beside it
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    for n in (1, 2, 13):
        images = np.random.default_rng(n).integers(0, 256, (n, size, size, channels), dtype=np.uint8)
        (found,) = session.run(["probabilities"], {"images": images})
        wanted = predict_images(predictor(saved, dtype=torch.float32, n_workers=1), images)
        np.testing.assert_allclose(found, wanted, atol=1e-4)
    metadata = session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata["classes"]) == list(saved.classes)
    assert metadata["image_size"] == str(size)
    onnx.checker.check_model(tmp_path / "model.onnx")


def test_the_model_is_left_as_it_was(tmp_path, small_model):
    saved = small_model()
    before = {name: tensor.clone() for name, tensor in saved.network.state_dict().items()}
    export_onnx(saved, tmp_path / "model.onnx")
    assert all(torch.equal(before[name], tensor) for name, tensor in saved.network.state_dict().items())


def test_a_file_with_other_answers_is_not_kept(tmp_path, small_model, monkeypatch):
    monkeypatch.setattr(onnx_export, "TOLERANCE", -1.0)
    (tmp_path / "model.onnx").write_text("an earlier one")
    with pytest.raises(WorkError, match="gives other answers than the model"):
        export_onnx(small_model(), tmp_path / "model.onnx")
    assert (tmp_path / "model.onnx").read_text() == "an earlier one"
    assert not list(tmp_path.glob(".*partial"))


class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 5)

    def forward(self, images_BCHW):
        features = images_BCHW.mean(dim=(2, 3))
        return self.layer(features if features.mean() > 0 else -features)


def test_a_network_that_cannot_be_exported_is_refused_with_the_reason(tmp_path, small_model):
    with pytest.raises(WorkError, match="cannot be written as ONNX: "):
        export_onnx(small_model(network=Branching()), tmp_path / "model.onnx")
    assert not (tmp_path / "model.onnx").exists()


def test_missing_packages_are_named_with_the_extra(tmp_path, small_model, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name.startswith("onnx") else found(name))
    with pytest.raises(UserError, match="needs onnx and onnxruntime and onnxscript, which are not installed") as caught:
        export_onnx(small_model(), tmp_path / "model.onnx")
    assert caught.value.hint == "pip install 'trialwise[onnx]'"
