"""Claim: the same test accuracy in a tenth of the time of the way that notebooks train, on the same machine.

Run on an idle machine: .venv/bin/python benchmarks/notebook_way.py DATA [EPOCHS]
The notebook's way, as most tutorials have it: float32, the default NCHW layout, a Dataset that flips and crops one
image at a time, a DataLoader that shuffles, Adam at 0.001, a residual CNN of as many parameters. It trains first;
then trialwise trains with 1, 2, 3, ... epochs, whole trainings each with its own schedule, until one is as accurate.
Both see the same training rows (the notebook's way gets trialwise's validation rows on top) and the same threads.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from measured import write
from trialwise.images.evaluate import open_test
from trialwise.images.sources import find_source
from trialwise.images.store import Prepared, open_train, prepare

MOST_EPOCHS = 12


class Pictures(Dataset):
    """One picture at a time, as a float tensor; flipped and cropped where it is for training."""

    def __init__(self, images_NHWC: np.ndarray, labels_N: np.ndarray, *, augmented: bool) -> None:
        self.images_NHWC, self.labels_N, self.augmented = images_NHWC, labels_N, augmented

    def __len__(self) -> int:
        return len(self.labels_N)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, int]:
        image_CHW = torch.from_numpy(self.images_NHWC[row]).permute(2, 0, 1).float() / 255
        if self.augmented:
            if torch.rand(()) < 0.5:
                image_CHW = image_CHW.flip(2)
            padded = nn.functional.pad(image_CHW, (4, 4, 4, 4))
            top, left = torch.randint(0, 9, (2,)).tolist()
            image_CHW = padded[:, top : top + 32, left : left + 32]
        return (image_CHW - 0.47) / 0.25, int(self.labels_N[row])


class Block(nn.Module):
    """Two convolutions around a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = (nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(2))
        self.first_norm, self.second_norm = nn.BatchNorm2d(width), nn.BatchNorm2d(width)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        inside = torch.relu(self.first_norm(self.first(maps)))
        return torch.relu(maps + self.second_norm(self.second(inside)))


def notebook_network() -> nn.Module:
    layers: list[nn.Module] = []
    before = 3
    for width in (32, 48, 64):
        layers += [nn.Conv2d(before, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(), Block(width)]
        layers.append(nn.MaxPool2d(2))
        before = width
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(64, 10))


def notebook_way(prepared: Prepared, epochs: int) -> dict:
    torch.manual_seed(0)
    rows = open_train(prepared)
    loader = DataLoader(Pictures(rows.images_NHWC, rows.labels_N, augmented=True), batch_size=128, shuffle=True)
    network = notebook_network()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.001)
    start = time.perf_counter()
    for epoch in range(epochs):
        network.train()
        for images, labels in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(images), labels).backward()
            optimizer.step()
        print(f"notebook's way, epoch {epoch + 1}: {time.perf_counter() - start:.0f} s", file=sys.stderr)
    seconds = time.perf_counter() - start
    test = open_test(prepared)
    network.eval()
    with torch.no_grad():
        loader = DataLoader(Pictures(test.images_NHWC, test.labels_N, augmented=False), batch_size=500)
        n_right = sum(int((network(images).argmax(1) == labels).sum()) for images, labels in loader)
    return {
        "n_params": sum(parameter.numel() for parameter in network.parameters()),
        "epochs": epochs,
        "train_seconds": seconds,
        "images_per_second": epochs * len(rows.labels_N) / seconds,
        "test_accuracy": n_right / len(test.labels_N),
    }


def trialwise_way(data: str, epochs: int, folder: Path) -> dict:
    command = [sys.executable, "-m", "trialwise", "image"]
    run = str(folder / str(epochs))
    train = [*command, "train", data, "--epochs", str(epochs), "--threads", str(torch.get_num_threads())]
    trained = json.loads(subprocess.run([*train, "--out", run, "--json"], check=True, stdout=subprocess.PIPE).stdout)
    evaluate = [*command, "evaluate", run, "--json"]
    test = json.loads(subprocess.run(evaluate, check=True, stdout=subprocess.PIPE).stdout)["test"]
    seconds = trained["seconds"]["train"]
    n_train = trained["data"]["n_train"] - trained["valid"]["n"]
    return {
        "n_params": trained["n_params"],
        "epochs": epochs,
        "train_seconds": seconds,
        "images_per_second": epochs * n_train / seconds,
        "test_accuracy": test["accuracy"],
    }


def main() -> None:
    data = sys.argv[1]
    epochs = int(sys.argv[2]) if len(sys.argv) > 2 else 8
    peer = notebook_way(prepare(find_source(data)), epochs)
    tried = []
    with tempfile.TemporaryDirectory() as folder:
        while not tried or (tried[-1]["test_accuracy"] < peer["test_accuracy"] and len(tried) < MOST_EPOCHS):
            tried.append(trialwise_way(data, len(tried) + 1, Path(folder)))
            print(json.dumps(tried[-1]), file=sys.stderr)
    ours = tried[-1]
    figures = {
        "data": Path(data).name,
        "threads": torch.get_num_threads(),
        "notebook's way": peer,
        "trialwise, whole trainings": tried,
        "reached": ours["test_accuracy"] >= peer["test_accuracy"],
        "times_less_time": peer["train_seconds"] / ours["train_seconds"],
        "times_more_images_per_second": ours["images_per_second"] / peer["images_per_second"],
    }
    write("notebook_way", figures)


if __name__ == "__main__":
    main()
