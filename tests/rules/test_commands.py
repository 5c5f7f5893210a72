"""Every command has help, is documented, takes the common options, and shows few enough of them."""

import subprocess
import sys

import pytest

import make_reference

COMMANDS = make_reference.commands()
MOST_OPTIONS = 15  # three of them common to all; one more is a decision


def test_all_verbs_are_there():
    assert COMMANDS == [
        "completion",
        "demo",
        "doctor",
        "log",
        "optimize",
        "report",
        "tune",
        "image ablate",
        "image card",
        "image compare",
        "image evaluate",
        "image explain",
        "image export",
        "image predict",
        "image resume",
        "image train",
        "image tune",
        "price ablate",
        "price backtest",
        "price forecast",
        "price inspect",
        "price leak-test",
        "price tune",
        "study compare",
        "study dashboard",
        "study export",
        "study list",
        "study resume",
        "study show",
    ]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_explains_itself_and_takes_the_common_options(command):
    text = make_reference.help_of(command)
    options = [word for word in text.replace("\n", " ").split() if word.startswith("--")]
    assert {"--json", "--seed", "--out"} <= set(options)
    for panel in text.split("╭─")[1:]:  # what every study takes stands in a panel of its own
        shown = {line.split()[1] for line in panel.splitlines() if line.startswith(("│ --", "│ *  --"))}
        assert len(shown) <= MOST_OPTIONS, shown
    assert len(text.splitlines()[2]) > 20, "a first sentence that says what it does"


@pytest.mark.parametrize("arguments", ["", "--help", "--version", "image --help", *[f"{c} --help" for c in COMMANDS]])
def test_help_needs_neither_torch_nor_optuna_nor_pandas(arguments):
    code = (
        "import sys; from trialwise.cli.app import run; "
        f"code = run({arguments.split()!r}); "
        "heavy = {'torch', 'optuna', 'pandas', 'scipy', 'matplotlib', 'sklearn'} & set(sys.modules); "
        "sys.exit(code or (f'loaded {heavy}' if heavy else 0))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_python_m_is_the_command():
    done = subprocess.run([sys.executable, "-m", "trialwise", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0.1.0"
