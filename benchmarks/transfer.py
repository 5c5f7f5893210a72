"""Claim: `--from-study` helps where the earlier study was of something alike, and hurts little where it misleads.

.venv/bin/python benchmarks/transfer.py [SEEDS]
An earlier study of 50 trials on a function; then 30 trials on the function that is tuned, proposed by TPE (what auto
takes where trials are pruned). The untuned default, the middle of the box, comes first; after it nothing is known, or
the earlier study's best three configurations come, and then the own sampler alone ("best first"), or every second one
is proposed from the trials of both ("from-study", what --from-study does), or every one ("always both").
"same" is the earlier function itself, "moved" has its minimum moved by 8 % of the box along every axis, "mirrored"
turns the box round, so that the earlier study's best is far from the minimum. Regret (value less the true minimum)
after 10 and 30 trials; "ratio" is the geometric mean over seeds of the regret, by that with nothing known.
"""

import dataclasses
import statistics
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import optuna

from measured import spread, write
from trialwise.functions.testbed import known_problem
from trialwise.tuning.earlier import Earlier, learnt_from
from trialwise.tuning.earlier_proposals import Origin, Proposals
from trialwise.tuning.samplers import sampler_for_each_trial
from trialwise.tuning.spaces import Space, distributions

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
    peers = {
        "nothing known": (None, Proposals),
        "best first": (dataclasses.replace(learnt, trials=()), Proposals),
        "from-study": (learnt, Proposals),
        "always both": (learnt, AlwaysBoth),
    }
    found = {}
    for peer, (earlier, how) in peers.items():
        study = searched(variant, problem.space, seed=seed, n=max(AFTER), earlier=earlier, how=how)
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
    for kind in ("same", "moved", "mirrored"):
        ratios: dict[str, dict[str, list[float]]] = {}
        for name in FUNCTIONS:
            found = figures_of(name, variants(name)[kind], n_seeds)
            figures.setdefault(kind, {})[name] = found
            for peer, after in found.items():
                for n, figure in after.items():
                    ratios.setdefault(peer, {}).setdefault(n, []).append(figure["ratio"])
        figures[kind]["all four"] = {
            peer: {n: statistics.geometric_mean(values) for n, values in after.items()}
            for peer, after in ratios.items()
        }
        print(kind, figures[kind]["all four"], {p: r["30"] for p, r in ratios.items()}, file=sys.stderr)
    write("transfer", figures)
