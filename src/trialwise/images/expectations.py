"""What accuracy trainings like the one to come have given: those measured for this package, and one's own."""

import dataclasses
import json
import math
from collections.abc import Iterator
from importlib import resources

from trialwise.base.errors import UserError
from trialwise.base.files import runs_folder
from trialwise.base.runs import RunFolder
from trialwise.images.cifar import CIFAR10
from trialwise.images.store import DataDescription


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measured:
    """Trainings of CIFAR-10 with the default network.

    Attributes:
        epochs: Their length.
        n_params: The network's size.
        n_seeds: How many there were.
        accuracy: Median plain accuracy on the test rows of the JPEG copy.
    """

    epochs: int
    n_params: int
    n_seeds: int
    accuracy: float


def measured() -> list[Measured]:
    """What `benchmarks/expectations.py` wrote, the shortest trainings first."""
    text = resources.files("trialwise.images").joinpath("data/cifar10_measured.json").read_text(encoding="utf-8")
    return [Measured(**record) for record in json.loads(text)]


def expectation(data: DataDescription, *, epochs: int, n_params: int) -> str:
    """A sentence on what such trainings have given, or that none is on record."""
    if own := _nearest_own(data, epochs, n_params):
        return own
    known = measured()
    if data.classes == CIFAR10.classes and data.n_train == 50_000 and n_params >= min(one.n_params for one in known):
        given = ", ".join(
            f"{one.accuracy:.1%} in {one.epochs} epochs" + (f" ({one.n_seeds} seeds)" if one.n_seeds > 1 else "")
            for one in known
        )
        return (
            f"networks of {known[0].n_params:,} parameters have given, as plain test accuracy on the JPEG copy of "
            f"CIFAR-10: {given}; the original pixels were not measured and are expected to give more"
        )
    return "no training of this data is on record here: what accuracy to expect is not known"


def _nearest_own(data: DataDescription, epochs: int, n_params: int) -> str:
    """What the run in the runs folder gave that is most like the one to come; empty where there is none."""
    alike = [
        run
        for run in _complete_runs()
        if run.settings.get("content_sha256") == data.content_sha256 and 0.5 <= run.result["n_params"] / n_params <= 2
    ]
    if not alike:
        return ""
    run = min(alike, key=lambda run: abs(math.log(run.result["epochs"] / epochs)))
    found = run.result
    return (
        f"an earlier training of this data gave {found['valid']['accuracy']:.1%} of {found['valid']['n']:,} validation "
        f"images in {found['epochs']} epochs ({run.label})"
    )


def _complete_runs() -> Iterator[RunFolder]:
    for file in sorted(runs_folder().glob("image-train-*/run.json")):
        try:
            run = RunFolder.open(file.parent)
        except UserError:
            continue
        if run.kind == "image-train" and run.record["status"] == "complete":
            yield run
