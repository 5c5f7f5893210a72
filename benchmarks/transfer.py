"""Claim: `--from-study` helps where the earlier study was of something alike, and hurts little where it misleads.

.venv/bin/python benchmarks/transfer.py [SEEDS]
An earlier study of 50 trials on a function; then 30 trials on the function that is tuned, each proposed by TPE (what
auto takes where trials are pruned): the untuned default (the middle of the box) first, then with nothing known, with
the earlier study's best configurations alone, and with them and the prior that fades (what --from-study does).
"same" is the earlier function itself, "moved" has its minimum moved by 8 % of the box along every axis, "mirrored"
turns the box round, so that the earlier study's best is far from the minimum. Regret (value less the true minimum)
after 10 and 30 trials; "ratio" is the geometric mean over seeds of the regret with the earlier study by the one without it.
"""

import dataclasses
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import optuna

from measured import spread, write
from trialwise.functions.testbed import known_problem
from trialwise.tuning.earlier import Earlier, Proposals, learnt_from
from trialwise.tuning.samplers import sampler_for_each_trial
from trialwise.tuning.spaces import Space, distributions

AFTER = (10, 30)
EARLIER_TRIALS = 50
TINY = 1e-12
Function = Callable[..., float]


def middle(space: Space) -> dict[str, Any]:
    return {name: (parameter.low + parameter.high) / 2 for name, parameter in space.items()}


def searched(function: Function, space: Space, *, seed: int, n: int, earlier: Earlier | None) -> optuna.Study:
    """A study of `n` trials, the middle of the box first."""
    sampler = sampler_for_each_trial("tpe", seed, deterministic=False)
    if earlier is not None:
        sampler = Proposals(earlier, space, seed=seed, has_default=True).before(sampler)
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
    peers = {"nothing known": None, "best first": dataclasses.replace(learnt, trials=()), "from-study": learnt}
    found = {}
    for peer, earlier in peers.items():
        study = searched(variant, problem.space, seed=seed, n=max(AFTER), earlier=earlier)
        values = [trial.value - problem.minimum for trial in study.trials]
        found[peer] = [max(TINY, min(values[:n])) for n in AFTER]
    return found


def figures_of(name: str, variant: Function, n_seeds: int) -> dict:
    rows = [regrets(name, variant, seed) for seed in range(n_seeds)]
    found: dict[str, dict] = {}
    for i, n in enumerate(AFTER):
        without = np.log([row["nothing known"][i] for row in rows])
        for peer in rows[0]:
            regret = [row[peer][i] for row in rows]
            logs = np.log(regret) - without
            found.setdefault(peer, {})[str(n)] = spread(regret) | {
                "ratio": float(np.exp(logs.mean())),
                "better_in": int((logs < 0).sum()),
                "worse_in": int((logs > 0).sum()),
            }
    return found


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    n_seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    figures: dict[str, Any] = {"seeds": n_seeds, "machine_idle": False}
    for name in ("quadratic", "branin", "hartmann6", "rosenbrock"):
        for kind, function in variants(name).items():
            figures.setdefault(name, {})[kind] = figures_of(name, function, n_seeds)
            for peer, after in figures[name][kind].items():
                told = {n: (f"{f['median']:.2g}", f"x{f['ratio']:.2g}", f["better_in"]) for n, f in after.items()}
                print(name, kind, peer, told, file=sys.stderr)
    write("transfer", figures)
