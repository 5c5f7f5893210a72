"""`trialwise image ...`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from trialwise.cli.options import Config, DataDir, Output, merged, option
from trialwise.cli.output import give, watching
from trialwise.images.recipes import TrainSettings
from trialwise.tuning.samplers import SamplerName

DATA_HELP = "digits, cifar10, a folder of class folders (with train/ and test/ above them or not), or an archive of one"
Data = Annotated[str, Parameter(help=DATA_HELP)]
MaxParams = Annotated[int | None, option(TrainSettings, "max_params")]
Epochs = Annotated[int | None, option(TrainSettings, "epochs")]
ImageSize = Annotated[int | None, option(TrainSettings, "image_size")]


def train(
    data: Data = "digits",
    /,
    *,
    max_params: MaxParams = None,
    epochs: Epochs = None,
    batch_size: Annotated[int | None, option(TrainSettings, "batch_size")] = None,
    learning_rate: Annotated[float | None, option(TrainSettings, "learning_rate")] = None,
    weight_decay: Annotated[float | None, option(TrainSettings, "weight_decay")] = None,
    dropout: Annotated[float | None, option(TrainSettings, "dropout")] = None,
    image_size: ImageSize = None,
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
        "weight_decay": weight_decay,
        "dropout": dropout,
        "image_size": image_size,
    }
    settings = merged(TrainSettings, config, given)
    with watching() as watch:
        run = api.train(
            data,
            settings=settings,
            seed=output.seed,
            data_dir=data_dir,
            n_threads=threads,
            out=output.out,
            watch=watch,
        )
    give(run.result, _run_text(run.result, f"trialwise image evaluate {run.label}"), json=output.json)


def tune(
    data: Data = "digits",
    /,
    *,
    trials: Annotated[int, Parameter(help="Configurations to try; the first is the untuned default")] = 20,
    max_params: MaxParams = None,
    epochs: Annotated[
        int | None, Parameter(help="Epochs of a trial that is never pruned; left out, from the data")
    ] = None,
    image_size: ImageSize = None,
    workers: Annotated[
        int | None, Parameter(help="Processes of one thread each; left out, the cores that are free")
    ] = None,
    sampler: Annotated[SamplerName, Parameter(help="What proposes the trials")] = "auto",
    data_dir: DataDir = None,
    config: Config = None,
    output: Output = Output(),  # noqa: B008
) -> None:
    """Search learning rate, batch size, dropout, weight decay and width, with pruning."""
    from trialwise import api

    given = {"max_params": max_params, "epochs": epochs, "image_size": image_size}
    settings = merged(TrainSettings, config, given)
    with watching() as watch:
        run = api.tune(
            data,
            trials=trials,
            settings=settings,
            seed=output.seed,
            workers=workers,
            sampler=sampler,
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
    tta: Annotated[bool, Parameter(negative="", help="Also average each image with its mirror image")] = False,
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


def _run_text(result: dict, after: str) -> str:
    lines = [result["verdict"]]
    data = result["data"]
    if data["n_left_out"]:
        lines.append(
            f"left out: {data['n_left_out']} files, {data['left_out'][0]['file']} among them (all are in the report)"
        )
    return "\n".join([*lines, f"run: {result['run']}", f"report: {result['run']}/report.html", f"next: {after}"])
