"""All three kinds of work on the embedded data, small, in one go: everything that a report can show."""

import time
from pathlib import Path
from typing import Any

from trialwise.api.functions import optimize
from trialwise.api.images.evaluation import evaluate
from trialwise.api.images.explanation import explain
from trialwise.api.images.training import train
from trialwise.api.images.tuning import tune_images
from trialwise.api.prices import backtest
from trialwise.api.runs import Watch, unwatched, write_page
from trialwise.base.runs import RunFolder, check_out, fresh_folder
from trialwise.reports.winning import FEED_FORWARD_PARAMS

EPOCHS, TRIALS = 10, 9
FEED_FORWARD = {"family": "feed_forward", "max_params": FEED_FORWARD_PARAMS, "optimizer": "adamw", "epochs": 3}


def demo(*, seed: int = 0, out: Path | None = None, watch: Watch = unwatched) -> dict[str, Any]:
    """Minimise a quadratic, tune a classifier of digits, backtest a forecaster of AAPL; one report on all of it.

    The classifier is evaluated, explained, and compared with a feed-forward net of 3.8 million parameters.

    Args:
        seed: The one seed.
        out: The folder to make, with a run folder for each part and `report.html`.
        watch: See `api.Watch`.

    Returns:
        "sections" (each with "name", "verdict", "run"), "report" and "seconds".

    Raises:
        UserError: `out` cannot be used.
        Interrupted: Ctrl-C, after the part at work was saved.
    """
    start = time.perf_counter()
    check_out(out)
    folder = out or fresh_folder("demo")
    quadratic = optimize("quadratic", trials=25, seed=seed, out=folder / "functions", watch=watch)
    digits = tune_images(
        "digits", settings={"epochs": EPOCHS}, search={"trials": TRIALS}, seed=seed, out=folder / "images", watch=watch
    )
    evaluate(digits, watch=watch)
    explain(digits, watch=watch)
    wide = train("digits", settings=FEED_FORWARD, seed=seed, out=folder / "feed-forward", watch=watch)
    evaluate(wide, watch=watch)
    apple = backtest(seed=seed, out=folder / "prices", watch=watch)
    names = {"functions": quadratic, "images": digits, "prices": apple}
    page = write_page([quadratic, digits, wide, apple], out=folder / "report.html", title="trialwise demo")
    return {
        "schema": "trialwise.demo/1",
        "sections": [{"name": name, "verdict": _verdict(run), "run": str(run.path)} for name, run in names.items()],
        "report": str(page),
        "seconds": time.perf_counter() - start,
    }


def _verdict(run: RunFolder) -> str:
    return (run.record.get("evaluation") or run.result)["verdict"]
