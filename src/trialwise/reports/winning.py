"""What won: how it differs from the default, where it lies, and the commands that use it."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from trialwise.base.runs import RunFolder
from trialwise.reports.parts import Chapter, Table
from trialwise.reports.verdicts import number

FEED_FORWARD_PARAMS = 3_800_000
FILES = {  # what a run folder may keep of its winner, and what it is
    "best.toml": "every setting of the winner",
    "model.safetensors": "its weights",
    "model.json": "what the weights belong to: network, classes, preprocessing",
    "default/model.safetensors": "the weights of the untuned default",
}


def winning_chapter(run: RunFolder) -> tuple[Chapter, ...]:
    """The winning configuration of a study; none where nothing won."""
    result = run.result
    best, default = result.get("best"), result.get("default")
    if not best:
        return ()
    if default and best["number"] == default["number"]:
        sentence = "The untuned default itself won: there is nothing to change."
        table = _table(("setting", "default"), {name: (value,) for name, value in default["params"].items()})
    elif default:
        sentence, table = _difference(best, default)
    else:
        sentence = f"Trial {best['number']}; this study has no untuned default to compare with."
        table = _table(("setting", "winner"), {name: (value,) for name, value in best["params"].items()})
    return (
        Chapter(
            heading="The winning configuration",
            sentences=(sentence,),
            tables=(table, *use_tables(run)),
        ),
    )


def _difference(best: Mapping[str, Any], default: Mapping[str, Any]) -> tuple[str, Table]:
    """What trial `best` has that the default has not."""
    old, new = default["params"], best["params"]
    names = dict.fromkeys([*old, *new])
    changed = {name: (old.get(name, ""), new.get(name, "")) for name in names if old.get(name) != new.get(name)}
    same = [f"{name} {number(old[name])}" for name in names if name not in changed]
    kept = f" As in the default: {', '.join(same)}." if same else ""
    sentence = f"Trial {best['number']} changes {len(changed)} of the {len(names)} tuned settings.{kept}"
    return sentence, _table(("setting", "default", "winner"), changed)


def _table(head: tuple[str, ...], rows: Mapping[str, tuple[Any, ...]]) -> Table:
    cells = tuple((name, *map(number, values)) for name, values in rows.items())
    return Table(
        caption="What differs from the untuned default" if len(head) == 3 else "Settings", head=head, rows=cells
    )


def use_tables(run: RunFolder) -> tuple[Table, ...]:
    """The commands that train and use what a run found, and the files that it keeps."""
    commands = _commands(run)
    tables = (Table(caption="What to run", head=("to", "command"), rows=commands),) if commands else ()
    return (*tables, *_files(run))


def _commands(run: RunFolder) -> tuple[tuple[str, str], ...]:
    place, settings = str(run.path), run.settings
    best = ("--config", str(run.path / "best.toml"), "--seed", run.seed)
    match run.kind:
        case "image-tune" | "image-train" if (run.path / "model.safetensors").exists():
            use = ("use its weights", command("image", "predict", place, "IMAGES"))
            if run.kind == "image-train":
                return (use,)
            return (("train it anew", command("image", "train", *_images(settings), *best)), use)
        case "price-tune" if (run.path / "best.toml").exists():
            csv = (settings["csv"],) if settings.get("csv") else ()
            return (
                ("train it, and open the test days", command("price", "backtest", *csv, *_others(settings), *best)),
            )
        case "price-backtest":
            csv = settings.get("csv") or "CSV"
            return (("forecast the next day", command("price", "forecast", place, csv, *_others(settings))),)
    return ()


def more_chapter(run: RunFolder, beside: Sequence[RunFolder] = ()) -> Chapter:
    """What can still be found out about a classifier, and the commands that put it on the page with those `beside`."""
    place, settings = str(run.path), run.settings
    rows: list[tuple[str, str]] = []
    if not run.record.get("evaluation"):
        words = "the test images, once, at the end: accuracy, classes, calibration, labels in doubt"
        rows.append((words, command("image", "evaluate", place)))
    if not (run.path / "explain" / "explanation.json").exists():
        words = "filters, feature maps, Grad-CAM and the worst mistakes"
        rows.append((words, command("image", "explain", place)))
    if not any(one.settings["train"]["network"]["family"] == "feed_forward" for one in (run, *_classifiers(beside))):
        wide = ("--max-params", FEED_FORWARD_PARAMS, "--set", "family=feed_forward", "--set", "optimizer=adamw")
        net = f"{place}-feed-forward"
        train = command("image", "train", *_images(settings), *wide, "--seed", run.seed, "--out", net)
        rows.append(("a feed-forward net of 3.8 million parameters: train it", train))
        rows.append(("... and see the two side by side", command("report", place, net)))
    table = Table(caption="What this page can still show", head=("what", "command"), rows=tuple(rows))
    return Chapter(heading="More to find out", tables=(table,) if rows else ())


def _classifiers(runs: Sequence[RunFolder]) -> list[RunFolder]:
    return [run for run in runs if run.kind in ("image-train", "image-tune")]


def _images(settings: Mapping[str, Any]) -> tuple[str, ...]:
    return (settings["data"], *(("--data-dir", settings["data_dir"]) if settings.get("data_dir") else ()))


def _others(settings: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(word for one in settings.get("companions", ()) for word in ("--with", one["csv"]))


def command(*words: Any) -> str:
    """A command of ours as a shell takes it."""
    return shlex.join(["trialwise", *map(str, words)])


def _files(run: RunFolder) -> tuple[Table, ...]:
    found = {name: what for name, what in FILES.items() if (run.path / name).exists()}
    rows = tuple((str(run.path / name), what) for name, what in found.items())
    return (Table(caption="Files", head=("file", "what it holds"), rows=rows),) if rows else ()
