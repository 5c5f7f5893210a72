"""Claim: `--from-study` helps where the earlier study was of something alike, and hurts little where it misleads.

.venv/bin/python benchmarks/transfer.py [SEEDS]
An earlier study of 50 trials on a function; then 30 trials on the function that is tuned, proposed by TPE (what auto
takes where trials are pruned). The untuned default, the middle of the box, comes first; after it nothing is known, or
the earlier study's best three configurations come, and then the own sampler alone ("best first"), or every second one
is proposed from the trials of both ("from-study", what --from-study does), or every one ("always both").
"same" is the earlier function itself, "moved" has its minimum moved by 8 % of the box along every axis, "mirrored"
turns the box round, so that the earlier study's best is far from the minimum. Regret (value less the true minimum)
after 10 and 30 trials; "ratio" is the geometric mean over seeds of the regret, by that with nothing known.

The same for the network on digits of `digits_epochs.py`, asynchronous halving, without a default: the earlier study
has 405 epochs on another split of the images ("other images"), or on a split of which 100 images are trained on and not
800 ("an eighth of the images"). The validation loss of the best complete trial after 135 and 405 epochs stands for the
regret.
"""

import dataclasses
import math
import statistics
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import torch

from digits_epochs import PLAN, SPACE, TOTAL, Digits
from measured import spread, write
from trialwise.functions.testbed import known_problem
from trialwise.tuning.driver import StudyOver, StudyPlan, run_study
from trialwise.tuning.earlier import Earlier, learnt_from
from trialwise.tuning.earlier_proposals import Origin, Proposals
from trialwise.tuning.samplers import sampler_for_each_trial
from trialwise.tuning.spaces import Space, distributions
from trialwise.tuning.studies import Study
from trialwise.tuning.workers import InlinePool

AFTER_EPOCHS = (TOTAL // 3, TOTAL)
AFTER = (10, 30)
EARLIER_TRIALS = 50
TINY = 1e-12
FUNCTIONS = ("quadratic", "branin", "hartmann6", "rosenbrock")
Function = Callable[..., float]


class AlwaysBoth(Proposals):
    """Every trial after the best ones from both studies."""

    def origin(self, number: int) -> Origin:
        """As of every second trial."""
        found = super().origin(number)
        return "from both" if found == "own" and self._n_kept(number) else found


def middle(space: Space) -> dict[str, Any]:
    return {name: (parameter.low + parameter.high) / 2 for name, parameter in space.items()}


def searched(
    function: Function, space: Space, *, seed: int, n: int, earlier: Earlier | None, how: type[Proposals] = Proposals
) -> optuna.Study:
    """A study of `n` trials, the middle of the box first."""
    sampler = sampler_for_each_trial("tpe", seed, deterministic=False)
    if earlier is not None:
        sampler = how(earlier, space, seed=seed, has_default=True).before(sampler)
    study = optuna.create_study()
    study.enqueue_trial(middle(space))
    for number in range(n):
        study.sampler = sampler(number)
        trial = study.ask(distributions(space))
        study.tell(trial, function(**trial.params))
    return study


def variants(name: str) -> dict[str, Function]:
    problem = known_problem(name)
    box = {key: (p.low, p.high) for key, p in problem.space.items()}

    def moved(**point: float) -> float:
        at = {key: value - 0.08 * (box[key][1] - box[key][0]) for key, value in point.items()}
        return problem.function(**at)

    def mirrored(**point: float) -> float:
        return problem.function(**{key: sum(box[key]) - value for key, value in point.items()})

    return {"same": problem.function, "moved": moved, "mirrored": mirrored}


def peers(learnt: Earlier) -> dict[str, tuple[Earlier | None, type[Proposals]]]:
    """What each knows of the earlier study, and what it makes of it."""
    return {
        "nothing known": (None, Proposals),
        "best first": (dataclasses.replace(learnt, trials=()), Proposals),
        "from-study": (learnt, Proposals),
        "always both": (learnt, AlwaysBoth),
    }


def regrets(name: str, variant: Function, seed: int) -> dict[str, list[float]]:
    problem = known_problem(name)
    before = searched(problem.function, problem.space, seed=1000 + seed, n=EARLIER_TRIALS, earlier=None)
    learnt = learnt_from(
        before.trials,
        label="earlier",
        direction="minimize",
        space=problem.space,
        new_direction="minimize",
        default=middle(problem.space),
    )
    found = {}
    for peer, (earlier, how) in peers(learnt).items():
        study = searched(variant, problem.space, seed=seed, n=max(AFTER), earlier=earlier, how=how)
        values = [trial.value - problem.minimum for trial in study.trials]
        found[peer] = [max(TINY, min(values[:n])) for n in AFTER]
    return found


def digits_study(plan: StudyPlan, digits: Digits) -> tuple[list[optuna.trial.FrozenTrial], list[float]]:
    """A study's trials, and the best value of a complete trial after each of AFTER_EPOCHS."""
    n_epochs, best, values = 0, math.inf, []
    with tempfile.TemporaryDirectory() as folder, closing(InlinePool(digits)) as pool:
        study = Study(Path(folder), "minimize")
        scores: dict[int, float] = {}
        for event in run_study(study, SPACE, plan, pool):
            if isinstance(event, StudyOver):
                break
            if event.kind == "score":
                if n_epochs in AFTER_EPOCHS[len(values) :]:
                    values.append(best)
                n_epochs, scores[event.number] = n_epochs + 1, event.score
            elif event.kind == "complete":
                best = min(best, scores[event.number])
        return study.optuna.get_trials(), [*values, *[best] * (len(AFTER_EPOCHS) - len(values))]


def digits_losses(n_train_before: int, seed: int) -> dict[str, list[float]]:
    """The validation losses of the peers that know an earlier study which had so many images to train on."""
    plan = dataclasses.replace(PLAN, seed=1000 + seed)
    before, _ = digits_study(plan, Digits(1000 + seed, n_train_before))
    learnt = learnt_from(before, label="earlier", direction="minimize", space=SPACE, new_direction="minimize")
    found = {}
    for peer, (earlier, how) in peers(learnt).items():
        proposals = how(earlier, SPACE, seed=seed, has_default=False) if earlier else None
        _, found[peer] = digits_study(dataclasses.replace(PLAN, seed=seed, proposals=proposals), Digits(seed))
    return found


def compared(rows: Sequence[dict[str, list[float]]], after: Sequence[int]) -> dict:
    """The spread of each peer's figures over seeds, and their ratio to those with nothing known."""
    found: dict[str, dict] = {}
    for i, n in enumerate(after):
        without = np.log([row["nothing known"][i] for row in rows])
        for peer in rows[0]:
            regret = [row[peer][i] for row in rows]
            logs = np.log(regret) - without
            found.setdefault(peer, {})[str(n)] = spread(regret) | {
                "ratio": float(np.exp(logs.mean())),
                "standard_error_of_its_log": float(logs.std(ddof=1) / math.sqrt(len(rows))),
                "better_in": int((logs < 0).sum()),
                "worse_in": int((logs > 0).sum()),
            }
    return found


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    torch.set_num_threads(1)
    n_seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    figures: dict[str, Any] = {"seeds": n_seeds, "machine_idle": False}
    for kind in ("same", "moved", "mirrored"):
        ratios: dict[str, dict[str, list[float]]] = {}
        for name in FUNCTIONS:
            rows = [regrets(name, variants(name)[kind], seed) for seed in range(n_seeds)]
            found = compared(rows, AFTER)
            figures.setdefault(kind, {})[name] = found
            for peer, after in found.items():
                for n, figure in after.items():
                    ratios.setdefault(peer, {}).setdefault(n, []).append(figure["ratio"])
        figures[kind]["all four"] = {
            peer: {n: statistics.geometric_mean(values) for n, values in after.items()}
            for peer, after in ratios.items()
        }
        print(kind, figures[kind]["all four"], {p: r["30"] for p, r in ratios.items()}, file=sys.stderr)
    for kind, n_train_before in {"other images": 800, "an eighth of the images": 100}.items():
        rows = [digits_losses(n_train_before, seed) for seed in range(n_seeds)]
        figures.setdefault("digits", {})[kind] = found = compared(rows, AFTER_EPOCHS)
        print(kind, {p: {n: f["ratio"] for n, f in after.items()} for p, after in found.items()}, file=sys.stderr)
    write("transfer", figures)
