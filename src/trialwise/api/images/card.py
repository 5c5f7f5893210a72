"""The model card of a trained classifier: what Hugging Face shows of a model, and only what was measured."""

import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trialwise.api.images.evaluation import open_classifier
from trialwise.base.errors import UserError
from trialwise.base.files import write_text
from trialwise.base.runs import RunFolder
from trialwise.images.saved import load_model
from trialwise.training.device import pick_device

# Where the named data sets lie on the hub; a folder of one's own lies nowhere, so its card names no data set there.
HUB_DATASETS = {
    "cifar10": "uoft-cs/cifar10",
    "cifar100": "uoft-cs/cifar100",
    "mnist": "ylecun/mnist",
    "fashion_mnist": "zalando-datasets/fashion_mnist",
}


def card(run: RunFolder | Path | str, *, out: Path | None = None) -> dict[str, Any]:
    """Write the model card of a classifier, with the front matter that Hugging Face reads.

    Args:
        run: A run of `train` or `tune`.
        out: The file to write, which must not exist yet; by default `README.md` in the run folder, written anew.

    Returns:
        "file", and "test" (what `evaluate` found; None where the test rows were not read, and then the card has no
        test result either).

    Raises:
        UserError: The run holds no finished image model, or `out` cannot be written.
    """
    run = open_classifier(run)
    if out is not None and out.exists():
        raise UserError(f"--out {out}: it exists already", hint="name a new file, so that nothing is overwritten")
    saved = load_model(run.path, pick_device())
    evaluation = run.record.get("evaluation") or None
    n_params = sum(tensor.numel() for tensor in saved.network.parameters())
    front = _front_matter(run, evaluation)
    body = _body(run, evaluation, classes=saved.classes, n_params=n_params, size=saved.architecture.image_size)
    path = out or run.path / "README.md"
    write_text(path, "---\n" + "\n".join(_yaml(front)) + "\n---\n\n" + "\n".join(body) + "\n")
    test = evaluation["test"] if evaluation else None
    return {
        "schema": "trialwise.image-card/1",
        "run": run.label,
        "file": str(out) if out else f"{run.label}/README.md",
        "test": {name: test[name] for name in ("accuracy", "ci95", "n")} if test else None,
    }


def _front_matter(run: RunFolder, evaluation: Mapping[str, Any] | None) -> dict[str, Any]:
    data = run.result["data"]
    front: dict[str, Any] = {
        "library_name": "trialwise",
        "pipeline_tag": "image-classification",
        "tags": ["image-classification", "trialwise", "pytorch"],
    }
    if data["kind"] in HUB_DATASETS:
        front["datasets"] = [HUB_DATASETS[data["kind"]]]
    if evaluation:
        accuracy = {"type": "accuracy", "value": evaluation["test"]["accuracy"], "name": "Test accuracy"}
        kind = HUB_DATASETS.get(data["kind"], re.sub(r"[^\w.-]+", "-", data["name"]) or "images")
        result = {
            "task": {"type": "image-classification"},
            "dataset": {"type": kind, "name": data["name"], "split": "test"},
            "metrics": [accuracy],
        }
        front["model-index"] = [{"name": run.path.name, "results": [result]}]
    return front


def _yaml(value: Any, depth: int = 0) -> list[str]:
    """The lines of plain values as YAML; texts as JSON writes them, which YAML reads the same."""
    indent = "  " * depth
    lines: list[str] = []
    items = value.items() if isinstance(value, Mapping) else ((None, item) for item in value)
    for name, item in items:
        head = f"{indent}- " if name is None else f"{indent}{name}:"
        if isinstance(item, Mapping | list):
            inner = _yaml(item, depth + 1)
            lines += [head + inner[0].lstrip(), *inner[1:]] if name is None else [head, *inner]
        else:
            lines.append(f"{head}{'' if name is None else ' '}{json.dumps(item, ensure_ascii=False)}")
    return lines


def _body(
    run: RunFolder, evaluation: Mapping[str, Any] | None, *, classes: tuple[str, ...], n_params: int, size: int
) -> list[str]:
    data, result = run.result["data"], run.result
    shown = [_code(name) for name in classes[:20]]
    more = f" and {len(classes) - 20} more" if len(classes) > 20 else ""
    lines = [
        f"# {_code(run.path.name)}",
        "",
        f"A {_network(run)} of {n_params:,} parameters that sorts images into {len(classes)} classes: "
        f"{', '.join(shown)}{more}. Trained with trialwise {run.record['versions'].get('trialwise', '')}.".rstrip(),
        "",
        "## How good it is",
        "",
        *_measured(result, evaluation),
        "",
        "## Training data",
        "",
        f"{_code(data['name'])}: {data['n_train']:,} images that are not test images, a part of them kept for "
        f"validation; {data['n_test']:,} test images ({data['test_origin']}). SHA-256 of the content: "
        f"`{data['content_sha256']}`.",
        *(f"Note: {_code(note)}" for note in data.get("notes", ())),
        "",
        "## How it was trained",
        "",
        f"Seed {run.seed}; the full settings are in `run.json`.",
    ]
    if run.record.get("command"):
        lines += ["", *_block(shlex.join(run.record["command"]), "bash")]
    load = (
        'from trialwise import api\n\nfound = api.predict("FOLDER", ["photo.png"], top=3)\nprint(found.to_document())'
    )
    return [
        *lines,
        "",
        "## How to load it",
        "",
        "Put `run.json`, `model.json` and `model.safetensors` into one FOLDER; there is no pickle in them.",
        "",
        *_block(load, "python"),
        "",
        "## Limits",
        "",
        f"- It sees {size} x {size} pixels: larger images are cropped to their central square and made smaller.",
        "- It always answers with one of its classes, also for images that show none of them.",
        "- The numbers above are for images like those it was trained on; for others, measure: "
        "`trialwise image evaluate RUN OTHER_IMAGES`.",
    ]


def _network(run: RunFolder) -> str:
    names = {"residual": "residual CNN", "plain": "plain CNN", "feed_forward": "feed-forward net"}
    return names[run.settings["train"]["network"]["family"]]


def _measured(result: Mapping[str, Any], evaluation: Mapping[str, Any] | None) -> list[str]:
    lines = []
    if evaluation:
        test, times = evaluation["test"], evaluation["times_opened"]
        low, high = test["ci95"]
        lines.append(
            f"**Test accuracy {test['accuracy']:.2%}** on {test['n']:,} test images, 95 % interval {low:.2%} to "
            f"{high:.2%}. The test images were read {'once' if times == 1 else f'{times} times'}."
        )
    else:
        lines.append("The test images were not read, so there is no test result here: `trialwise image evaluate`.")
    valid = result.get("valid")
    if isinstance(valid, Mapping) and "ci95" in valid:
        low, high = valid["ci95"]
        lines += [
            "",
            f"Validation accuracy {valid['accuracy']:.2%} on {valid['n']:,} images, 95 % interval {low:.2%} to "
            f"{high:.2%}; those images served to choose, so this number is a little too good.",
        ]
    return lines


def _code(text: str) -> str:
    """A text of the user's as code, which neither Markdown nor HTML reads."""
    return "`" + " ".join(str(text).replace("`", "'").split()) + "`"


def _block(text: str, language: str) -> list[str]:
    return [f"```{language}", text.replace("```", "'''"), "```"]
