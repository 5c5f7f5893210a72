"""Claim: `--sampler auto` finds the minimum of functions without noise to many more digits than Optuna's samplers.

.venv/bin/python benchmarks/smooth_functions.py [SEEDS]
Regret (value less the true minimum) after 25, 50 and 100 evaluations, and CPU seconds for 100, imports not counted.
"quadratic" and "rosenbrock" are polynomials, and auto tries polynomials: on "valley", a bent valley that is none,
it has no such help. The noisy ones add a normal error of standard deviation 0.1, and their regret is the true one at
the lowest value seen. Peers are Optuna's own samplers as they come, kept over the whole study.
"""

import sys
import time
import warnings

import numpy as np
import optuna

from measured import spread, write
from trialwise.functions.testbed import NAMES, Problem, known_problem
from trialwise.tuning.samplers import choose_sampler, sampler_for_each_trial
from trialwise.tuning.spaces import Float, distributions

AFTER = (25, 50, 100)
NOISE = 0.1
PEERS = {
    "auto": None,
    "optuna TPE": lambda seed: optuna.samplers.TPESampler(seed=seed),
    "optuna GP": lambda seed: optuna.samplers.GPSampler(seed=seed),
    "optuna CMA-ES": lambda seed: optuna.samplers.CmaEsSampler(seed=seed),
}
VALLEY = Problem(
    name="valley",
    function=lambda x, y: float(np.log1p((1 - x) ** 2 + 20 * (y - np.sin(2 * x)) ** 2)),
    space={"x": Float(low=-3, high=3), "y": Float(low=-3, high=3)},
    minimum=0.0,
)


def regrets(problem: Problem, peer: str, seed: int, noise: float) -> tuple[list[float], float]:
    """The regret of the best trial after so many evaluations, and CPU seconds."""
    space = distributions(problem.space)
    choice = choose_sampler("auto", problem.space, pruning=False, has_default=False).name
    kept = None if peer == "auto" else PEERS[peer](seed)
    sampler = sampler_for_each_trial(choice, seed, deterministic=not noise)
    random = np.random.default_rng(seed)
    study = optuna.create_study()
    true, seen = [], []
    start = time.process_time()
    for number in range(max(AFTER)):
        study.sampler = kept or sampler(number)
        trial = study.ask(space)
        true.append(problem.function(**trial.params) - problem.minimum)
        seen.append(true[-1] + (random.normal(0, noise) if noise else 0.0))
        study.tell(trial, seen[-1])
    seconds = time.process_time() - start
    return [true[int(np.argmin(seen[:n]))] for n in AFTER], seconds


def figures_of(problem: Problem, n_seeds: int, noise: float) -> dict:
    found = {}
    for peer in PEERS:
        rows, seconds = zip(*(regrets(problem, peer, seed, noise) for seed in range(n_seeds)), strict=True)
        found[peer] = {
            "regret": {str(n): spread([row[i] for row in rows]) for i, n in enumerate(AFTER)},
            "cpu_seconds": spread(list(seconds)),
        }
        print(
            problem.name,
            noise,
            peer,
            {n: f"{found[peer]['regret'][str(n)]['median']:.1e}" for n in AFTER},
            file=sys.stderr,
        )
    return found


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    n_seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    problems = [*map(known_problem, NAMES), VALLEY]
    regrets(problems[0], "auto", 0, 0.0)  # loads what is loaded once
    write(
        "smooth_functions",
        {
            "exact": {problem.name: figures_of(problem, n_seeds, 0.0) for problem in problems},
            "noisy": {problem.name: figures_of(problem, n_seeds, NOISE) for problem in problems},
            "noise": NOISE,
            "seeds": n_seeds,
            "machine_idle": False,
        },
    )
