"""`trialwise image ...`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from trialwise.base.errors import UserError
from trialwise.base.runs import check_out
from trialwise.cli.options import Config, DataDir, Output, Search, Set, StudyOptions, given_values, option
from trialwise.cli.output import give, watching
from trialwise.images.recipes import RecipeName
from trialwise.images.settings import Freeze, TrainSettings

LEFT_OUT_NAMED = 5
GOING_ON = "Going on from a trained model"
DATA_HELP = (
    "digits, cifar10, cifar100, mnist, fashion_mnist, a folder of class folders (with train/ and test/ above them or "
    "not), an archive of one, or Parquet files of images"
)
Data = Annotated[str, Parameter(help=DATA_HELP)]
MaxParams = Annotated[int | None, option(TrainSettings, "max_params")]
Epochs = Annotated[int | None, option(TrainSettings, "epochs")]
Recipe = Annotated[RecipeName, Parameter(help="Settings to begin with; auto: by the size of the data")]
ImageSize = Annotated[int | None, option(TrainSettings, "image_size")]


def train(
    data: Data = "digits",
    /,
    *,
    recipe: Recipe = "auto",
    minutes: Annotated[
        float | None, Parameter(help="How long training may take: as many epochs as fit at the speed measured here")
    ] = None,
    from_: Annotated[
        Path | None, Parameter(name="--from", group=GOING_ON, help="Run folder of a trained model to go on from")
    ] = None,
    freeze: Annotated[Freeze | None, option(TrainSettings, "freeze"), Parameter(group=GOING_ON)] = None,
    max_params: MaxParams = None,
    epochs: Epochs = None,
    batch_size: Annotated[int | None, option(TrainSettings, "batch_size")] = None,
    learning_rate: Annotated[float | None, option(TrainSettings, "learning_rate")] = None,
    image_size: ImageSize = None,
    set_: Annotated[Set, Parameter(name="--set")] = None,
    threads: Annotated[int | None, Parameter(help="PyTorch threads; left out, the cores that are free")] = None,
    data_dir: DataDir = None,
    config: Config = None,
    output: Output = Output(),  # noqa: B008
) -> None:
    """Train a small residual CNN; the test images stay unread until `image evaluate`."""
    from trialwise import api

    given = {
        "max_params": max_params,
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "image_size": image_size,
        "freeze": freeze,
    }
    if minutes is not None and epochs is not None:
        raise UserError("--minutes and --epochs both say how long to train", hint="give one of them")
    settings = given_values(TrainSettings, config, given, set_)
    with watching() as watch:
        run = api.train(
            data,
            recipe=recipe,
            settings=settings,
            minutes=minutes,
            start_from=from_,
            seed=output.seed,
            data_dir=data_dir,
            n_threads=threads,
            out=output.out,
            watch=watch,
        )
    give(run.result, _run_text(run.result, f"trialwise image evaluate {run.label}"), json=output.json)


def resume(
    run: Annotated[Path, Parameter(help="Run folder of an image train that was stopped or killed")],
    /,
    *,
    output: Output = Output(),  # noqa: B008
) -> None:
    """Go on with a training from its last complete epoch; the weights are those of one never stopped."""
    from trialwise import api

    check_out(output.out)
    with watching() as watch:
        done = api.resume_training(run, watch=watch)
    text = _run_text(done.result, f"trialwise image evaluate {done.label}")
    give(done.result, text, json=output.json, out=output.out)


def tune(
    data: Data = "digits",
    /,
    *,
    max_params: MaxParams = None,
    epochs: Annotated[
        int | None, Parameter(help="Epochs of a trial that is never pruned; left out, from the data")
    ] = None,
    image_size: ImageSize = None,
    data_dir: DataDir = None,
    config: Config = None,
    search: Search = StudyOptions(),  # noqa: B008
    output: Output = Output(),  # noqa: B008
) -> None:
    """Search learning rate, batch size, dropout, weight decay and width, with pruning."""
    from trialwise import api

    given = {"max_params": max_params, "epochs": epochs, "image_size": image_size}
    settings = given_values(TrainSettings, config, given)
    with watching() as watch:
        run = api.tune_images(
            data,
            settings=settings,
            search=search,
            seed=output.seed,
            data_dir=data_dir,
            out=output.out,
            watch=watch,
        )
    give(run.result, _run_text(run.result, f"trialwise image evaluate {run.label}"), json=output.json)


def evaluate(
    run: Annotated[Path, Parameter(help="Run folder of image train or image tune")],
    data: Annotated[str | None, Parameter(help="Other test images; left out, those of the run's own data")] = None,
    /,
    *,
    tta: Annotated[bool, Parameter(negative="", help="Also average over each image moved and mirrored")] = False,
    robustness: Annotated[
        bool, Parameter(negative="", help="Also measure on corrupted images: noise, blur, light, JPEG and others")
    ] = False,
    data_dir: DataDir = None,
    output: Output = Output(),  # noqa: B008
) -> None:
    """Measure a trained model on the test images: once, at the end, with a 95 % interval."""
    from trialwise import api

    with watching() as watch:
        document = api.evaluate(
            run, data, data_dir=data_dir, tta=tta, robustness=robustness, out=output.out, watch=watch
        )
    give(document, _evaluation_text(document), json=output.json)


def compare(
    *runs: Annotated[Path, Parameter(help="Two runs that image evaluate has measured, or more that differ in seed")],
    output: Output = Output(),  # noqa: B008
) -> None:
    """Say whether two classifiers really differ, row for row on the same test images."""
    from trialwise import api

    document = api.compare(runs)
    give(document, document["verdict"], json=output.json, out=output.out)


def _evaluation_text(document: dict) -> str:
    from trialwise.reports.verdicts import evaluation_lines

    lines = [document["verdict"], *evaluation_lines(document["test"])]
    if document["test"]["n_seen_in_training"]:
        lines.append(f"left out: {document['test']['n_seen_in_training']} images that the model was trained on")
    if "report" in document:
        lines.append(f"report: {document['report']}")
    if document["times_opened"] > 1:
        times = document["times_opened"]
        lines.append(f"note: the test images were read {times} times for this run; choosing by them would be peeking")
    return "\n".join(lines)


def ablate(
    data: Data = "digits",
    /,
    *,
    recipe: Recipe = "auto",
    seeds: Annotated[int, Parameter(help="Trainings of each kind, with seeds of their own")] = 3,
    max_params: MaxParams = None,
    epochs: Epochs = None,
    set_: Annotated[Set, Parameter(name="--set")] = None,
    workers: Annotated[
        int | None, Parameter(help="Processes of one thread each; left out, the cores that are free")
    ] = None,
    data_dir: DataDir = None,
    config: Config = None,
    output: Output = Output(),  # noqa: B008
) -> None:
    """Find out what each ingredient is worth: train without it, one at a time, over seeds, on validation images."""
    from trialwise import api

    settings = given_values(TrainSettings, config, {"max_params": max_params, "epochs": epochs}, set_)
    with watching() as watch:
        run = api.ablate(
            data,
            recipe=recipe,
            settings=settings,
            seeds=seeds,
            seed=output.seed,
            workers=workers,
            data_dir=data_dir,
            out=output.out,
            watch=watch,
        )
    give(run.result, _ablation_text(run.result), json=output.json)


def _ablation_text(result: dict) -> str:
    lines = [result["verdict"], f"{'ingredient':<24} {'points':>7} {'95 % interval':>18}"]
    for row in result["effects"]:
        points = "failed" if row["effect"] is None else f"{100 * row['effect']:+.2f}"
        interval = "{:+.2f} to {:+.2f}".format(*(100 * end for end in row["ci95"])) if row["ci95"] else ""
        lines.append(f"{row['name']:<24} {points:>7} {interval:>18}")
    return "\n".join([*lines, f"report: {result['run']}/report.html"])


def _run_text(result: dict, after: str) -> str:
    lines = [result["verdict"]]
    data = result["data"]
    if data["n_left_out"]:
        n = data["n_left_out"]
        lines.append(f"left out: {n} file{'s' if n > 1 else ''} that cannot be used")
        lines += [f"  {left_out['file']}: {left_out['reason']}" for left_out in data["left_out"][:LEFT_OUT_NAMED]]
        if n > LEFT_OUT_NAMED:
            lines.append(f"  and {n - LEFT_OUT_NAMED} more (all of them: {result['run']}/run.json)")
    lines += [f"note: {note}" for note in data["notes"]]
    return "\n".join([*lines, f"run: {result['run']}", f"report: {result['run']}/report.html", f"next: {after}"])
