"""Claim: `predict` classifies 32 x 32 images many times faster than the usual evaluation loop, with the same answers.

Images a second on all cores for the default network of 200,000 parameters, from memory (20,000 on two cores was the
goal; docs/decisions/0009 says what stands in its way), and from files on disk, which is bound by decoding.
Run on an idle machine:
.venv/bin/python benchmarks/predict_speed.py
Peers in the same run, one after the other in every round: the loop of most notebooks (float32, NCHW, batches of 500,
PyTorch's own threads), and the same network under bfloat16 autocast with channels-last memory.
"""

import copy
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from measured import spread, write
from trialwise.api.images.models import open_model
from trialwise.images.inputs import find_inputs
from trialwise.images.predict import predict_files, predict_images, predictor
from trialwise.images.saved import SavedModel
from trialwise.images.train import predict_logits
from trialwise.training.device import number_format, usable_cores

N_IMAGES = 10_000
N_FILES = 4_000
N_CLASSES = 10
ROUNDS = 7
PLAIN_BATCH = 500
DEVICE = torch.device("cpu")


def smooth_images(n: int) -> np.ndarray:
    """Images (n, 32, 32, 3) of soft blobs, which JPEG packs about as photographs are; each class has its pattern."""
    generator = torch.Generator().manual_seed(0)
    patterns = torch.rand(N_CLASSES, 3, 8, 8, generator=generator)
    coarse = 0.5 * patterns[torch.arange(n) % N_CLASSES] + 0.5 * torch.rand(n, 3, 8, 8, generator=generator)
    fine = torch.nn.functional.interpolate(coarse, size=(32, 32), mode="bicubic").clamp(0, 1)
    return (255 * fine).byte().permute(0, 2, 3, 1).contiguous().numpy()


def write_files(images_NHWC: np.ndarray, folder: Path, suffix: str) -> Path:
    for i, image in enumerate(images_NHWC):
        path = folder / f"class{i % N_CLASSES}" / f"{i:05}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return folder


def trained_model(folder: Path) -> SavedModel:
    """The default network after a short training: its speed does not depend on how much it has learnt."""
    images = write_files(smooth_images(1500), folder / "train", ".png")
    command = [sys.executable, "-m", "trialwise", "image", "train", str(images)]
    options = ["--max-params", "200000", "--epochs", "2", "--out", str(folder / "run")]
    subprocess.run([*command, *options], capture_output=True, check=True)
    return open_model(folder / "run")[1]


def plain_loop(saved: SavedModel) -> Callable[[np.ndarray], np.ndarray]:
    network = copy.deepcopy(saved.network).to(memory_format=torch.contiguous_format).eval()
    mean_C11, std_C11 = saved.mean[:, None, None], saved.std[:, None, None]

    def run(images_NHWC: np.ndarray) -> np.ndarray:
        found = []
        with torch.no_grad():
            for start in range(0, len(images_NHWC), PLAIN_BATCH):
                images = torch.from_numpy(images_NHWC[start : start + PLAIN_BATCH])
                inputs = (images.permute(0, 3, 1, 2).float().contiguous() / 255 - mean_C11) / std_C11
                found.append((network(inputs) / saved.temperature).softmax(1))
        return torch.cat(found).numpy()

    return run


def autocast_loop(saved: SavedModel) -> Callable[[np.ndarray], np.ndarray]:
    def run(images_NHWC: np.ndarray) -> np.ndarray:
        images = torch.from_numpy(images_NHWC)
        logits = predict_logits(saved, images, torch.arange(len(images)), dtype=number_format(DEVICE).dtype)
        return (logits / saved.temperature).softmax(1).numpy()

    return run


def timed(run: Callable[[], object]) -> tuple[float, float]:
    """Wall seconds and CPU seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - wall, time.process_time() - cpu


def rates(seconds: list[tuple[float, float]], n: int) -> dict[str, object]:
    return {
        "images_per_second": spread([n / wall for wall, _ in seconds]),
        "cpu_microseconds_per_image": statistics.median(1e6 * cpu / n for _, cpu in seconds),
    }


def in_memory(saved: SavedModel, n_workers: int) -> dict[str, object]:
    images_NHWC = smooth_images(N_IMAGES)
    model = predictor(saved, dtype=number_format(DEVICE).dtype, n_workers=n_workers)
    loops = {
        "trialwise": lambda images: predict_images(model, images),
        "autocast bfloat16, channels last": autocast_loop(saved),
        "plain float32 NCHW": plain_loop(saved),
    }
    answers = {name: loop(images_NHWC) for name, loop in loops.items()}  # warms up, too
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in loops}
    for _ in range(ROUNDS):
        for name, loop in loops.items():
            seconds[name].append(timed(lambda loop=loop: loop(images_NHWC)))
    wall = {name: [wall for wall, _ in found] for name, found in seconds.items()}
    pairs = list(zip(wall["plain float32 NCHW"], wall["trialwise"], strict=True))
    ours, plain = answers["trialwise"], answers["plain float32 NCHW"]
    return {
        **{name: rates(found, N_IMAGES) for name, found in seconds.items()},
        "times_faster_than_plain": spread([slow / fast for slow, fast in pairs]),
        "largest_difference_in_probability": float(np.abs(ours - plain).max()),
        "same_class": float((ours.argmax(1) == plain.argmax(1)).mean()),
    }


def from_files(saved: SavedModel, folder: Path, n_workers: int) -> dict[str, object]:
    model = predictor(saved, dtype=number_format(DEVICE).dtype, n_workers=n_workers)
    images_NHWC = smooth_images(N_FILES)
    found = {}
    for suffix in (".jpg", ".png"):
        files = write_files(images_NHWC, folder / f"files{suffix}", suffix)
        seconds = []
        for round_ in range(1 + ROUNDS):
            took = timed(lambda files=files: list(predict_files(model, find_inputs([files]))))
            if round_ > 0:
                seconds.append(took)
        found[suffix] = rates(seconds, N_FILES)
    return found


def command(folder: Path) -> dict[str, object]:
    """The whole command, start of Python and torch included."""
    arguments = ["image", "predict", str(folder / "run"), str(folder / "files.jpg"), "--json"]

    def run() -> None:
        done = subprocess.run([sys.executable, "-m", "trialwise", *arguments], capture_output=True, check=True)
        assert json.loads(done.stdout)["n"] == N_FILES

    return {"seconds": spread([timed(run)[0] for _ in range(3)]), "files": N_FILES}


def main() -> None:
    n_workers = usable_cores()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        saved = trained_model(folder)
        figures = {
            "images": N_IMAGES,
            "rounds": ROUNDS,
            "workers": n_workers,
            "n_params": sum(parameter.numel() for parameter in saved.network.parameters()),
            "architecture": saved.architecture.to_document(),
            "number_format": number_format(DEVICE).reason,
            "from_memory": in_memory(saved, n_workers),
            "from_files": from_files(saved, folder, n_workers),
            "command": command(folder),
        }
    write("predict_speed", figures)


if __name__ == "__main__":
    main()
