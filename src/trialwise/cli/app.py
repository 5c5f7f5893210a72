"""The commands by name, and what becomes of errors. Each command's module is loaded when it is called."""

import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from trialwise.base.errors import Interrupted, TrialwiseError, UserError
from trialwise.base.passwords import without_passwords
from trialwise.base.runs import versions

app = App(
    name="trialwise",
    help="Tunes and trains PyTorch models and says honestly how good they are.",
    suppress_keyboard_interrupt=False,  # `run` below says what was saved
    version=lambda: versions().get("trialwise", "unknown"),
    help_epilogue="Exit codes: 0 done, 1 failed, 2 bad input or usage, 130 stopped by Ctrl-C after saving what exists.",
)
app.command(
    "trialwise.cli.demo:demo",
    name="demo",
    help="See all of it work on embedded data, in less than a minute, ending in one report.",
)
app.command(
    "trialwise.cli.functions:optimize",
    name="optimize",
    help="Find the minimum of a function, and draw its contours with every trial on them.",
)
app.command(
    "trialwise.cli.objectives:tune",
    name="tune",
    help="Tune a model of your own: any generator that yields one score an epoch.",
)

image = App(name="image", help="Classify images: train, tune, evaluate, compare, explain, use.")
image.command(
    "trialwise.cli.images:train",
    name="train",
    help="Train a small residual CNN; the test images stay unread until image evaluate.",
)
image.command(
    "trialwise.cli.images:resume",
    name="resume",
    help="Go on with a training from its last complete epoch.",
)
image.command(
    "trialwise.cli.images:tune",
    name="tune",
    help="Search learning rate, batch size, dropout, weight decay and width, with pruning.",
)
image.command(
    "trialwise.cli.images:evaluate",
    name="evaluate",
    help="Measure a trained model on the test images: once, at the end, with a 95 % interval.",
)
image.command(
    "trialwise.cli.image_use:explain",
    name="explain",
    help="Show what a trained model looks at and where it goes wrong, as pictures and in its report.",
)
image.command(
    "trialwise.cli.image_use:export",
    name="export",
    help="Write a trained model as a file that other programs can run, checked to give the same answers.",
)
image.command(
    "trialwise.cli.image_use:card",
    name="card",
    help="Write a trained model's card, as Hugging Face shows it: only what was measured.",
)
image.command(
    "trialwise.cli.image_use:predict",
    name="predict",
    help="Classify images with a trained model: CSV on stdout, or one JSON document.",
)
image.command(
    "trialwise.cli.images:ablate",
    name="ablate",
    help="Find out what each ingredient of a training is worth, over seeds.",
)
image.command(
    "trialwise.cli.images:compare",
    name="compare",
    help="Say whether two classifiers really differ, row for row on the same test images.",
)
app.command(image)

price = App(name="price", help="Forecast prices from a CSV, the naive forecast always beside it.")
price.command(
    "trialwise.cli.prices:backtest",
    name="backtest",
    help="Train an LSTM on the first days, walk over the last ones, beside tomorrow = today.",
)
price.command(
    "trialwise.cli.price_experiments:tune",
    name="tune",
    help="Search the LSTM's settings with pruning, on the days before the test.",
)
price.command(
    "trialwise.cli.price_experiments:ablate",
    name="ablate",
    help="Find out what features, other stocks, layers and hidden sizes are worth, over seeds.",
)
price.command(
    "trialwise.cli.prices:forecast",
    name="forecast",
    help="Forecast the next close with bands around it, by the model of a backtest.",
)
price.command(
    "trialwise.cli.prices:inspect",
    name="inspect",
    help="Say what is in a CSV of prices, and what looks wrong in it, line by line.",
)
price.command(
    "trialwise.cli.prices:leak_test",
    name="leak-test",
    help="Change the future and demand the same forecasts before it, to the bit, from every model.",
)
app.command(price)

study = App(name="study", help="List, show, compare, export and go on with studies.")
study.command("trialwise.cli.studies:list_", name="list", help="List the studies in the runs folder, or in a database.")
study.command("trialwise.cli.studies:show", name="show", help="Show a study as it stands, running or not.")
study.command("trialwise.cli.studies:resume", name="resume", help="Go on with a study where it stopped.")
study.command(
    "trialwise.cli.study_use:export", name="export", help="Write all trials of a study to a CSV or Parquet file."
)
study.command(
    "trialwise.cli.study_use:compare",
    name="compare",
    help="Show what differs between studies, what each found and what it spent.",
)
study.command(
    "trialwise.cli.study_use:dashboard",
    name="dashboard",
    help="Show a study in the browser with optuna-dashboard, on this machine alone.",
)
app.command(study)

app.command(
    "trialwise.cli.doctor:doctor",
    name="doctor",
    help="Say what works on this machine: versions, device, free cores, bfloat16, folders.",
)
app.command(
    "trialwise.cli.completion:completion",
    name="completion",
    help="Print what bash, zsh or fish needs to complete commands and options.",
)
app.command(
    "trialwise.cli.tracking:log", name="log", help="Log a run to MLflow or for TensorBoard; again, only what is new."
)
app.command("trialwise.cli.studies:report", name="report", help="Make the report again, from run folders alone.")


def run(arguments: Sequence[str]) -> int:
    """Run one command; the exit code."""
    try:
        app(list(arguments), exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        print(f"error: {without_passwords(str(error))}", file=sys.stderr)
        print("hint: trialwise --help, or --help after a command", file=sys.stderr)
        return 2
    except TrialwiseError as error:
        print(f"error: {without_passwords(str(error))}", file=sys.stderr)
        if isinstance(error, UserError) and not error.hint:
            print("hint: --help after the command shows what it takes", file=sys.stderr)
        return error.exit_code
    except Interrupted as stop:
        print(f"{stop}" + (f"\nhint: {stop.hint}" if stop.hint else ""), file=sys.stderr)
        return stop.exit_code
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return Interrupted.exit_code
    except BrokenPipeError:  # the reader of our output has gone, as with `| head`
        sys.stderr.close()
        return 1
    except OSError as error:
        print(f"error: {error.filename or 'writing'}: {error.strerror or error}", file=sys.stderr)
        print("hint: is there space, and may you write there?", file=sys.stderr)
        return 1
    return 0
