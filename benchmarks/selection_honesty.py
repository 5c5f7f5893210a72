"""Claims: luck is not called skill, and the corrected score of a winner is right within its interval.

.venv/bin/python benchmarks/selection_honesty.py [STUDIES]
200 studies (or as many as are named) of 50 coin flips, then of configurations that differ, are alike, or have seeds of
their own. What is covered is the expected accuracy of the configuration that was chosen. The peers are the winner's own
score with its standard error, and BBC-CV's own percentile interval.
"""

import dataclasses
import sys

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from measured import write
from trialwise.statistics.intervals import wilson_interval
from trialwise.statistics.selection import _grouped, _of_chosen, _resampled, compare_best, confirm_gain, correct_best

K_CONFIRMED, SEEDS = 3, 2
MORE = 3  # times as many studies where a rate is small and a study is quick


@dataclasses.dataclass(frozen=True, kw_only=True)
class World:
    """Where studies come from.

    Attributes:
        name: What it is.
        rows: Validation rows.
        configurations: In one study.
        accuracy: Of the middle configuration.
        spread: How the true accuracies differ, in standard errors of a measured one.
        alike: Correlation between configurations of what makes a row hard.
        shape: Of the true accuracies.
    """

    name: str
    rows: int = 1000
    configurations: int = 50
    accuracy: float = 0.5
    spread: float = 0.0
    alike: float = 0.0
    shape: str = "normal"


WORLDS = [
    World(name="50 coin flips"),
    World(name="50 coin flips, 200 rows", rows=200),
    World(name="50 coin flips, 2,500 rows", rows=2500),
    World(name="200 coin flips", rows=500, configurations=200),
    World(name="5 coin flips", rows=500, configurations=5),
    World(name="equal, 90 %, alike", rows=500, accuracy=0.9, alike=0.9),
    World(name="equal, 95 %, 100 rows", accuracy=0.95, alike=0.5, rows=100, configurations=20),
    World(name="differ by half an error", rows=500, accuracy=0.8, spread=0.5),
    World(name="differ by an error", rows=500, accuracy=0.8, spread=1.0),
    World(name="differ by two errors", rows=500, accuracy=0.8, spread=2.0),
    World(name="differ by an error, alike", rows=500, accuracy=0.9, spread=1.0, alike=0.7),
    World(name="10, very much alike", rows=500, accuracy=0.8, spread=1.0, alike=0.95, configurations=10),
    World(name="two", rows=500, accuracy=0.9, spread=0.5, alike=0.5, configurations=2),
    World(name="few good, many bad", rows=500, accuracy=0.9, spread=4.0, alike=0.8, configurations=40, shape="skew"),
    World(name="half on a plateau", rows=500, accuracy=0.8, spread=1.0, alike=0.5, configurations=40, shape="plateau"),
]


def draw(world: World, generator: np.random.Generator) -> tuple[NDArray, NDArray]:
    """The true accuracies (K,), and who is right on which row (N, K)."""
    n = world.configurations
    places_K = {
        "normal": lambda: generator.standard_normal(n),
        "skew": lambda: -generator.exponential(size=n),
        "plateau": lambda: np.where(np.arange(n) < n // 2, 0.0, -10 - 5 * generator.exponential(size=n)),
    }[world.shape]()
    error = np.sqrt(world.accuracy * (1 - world.accuracy) / world.rows)
    truth_K = np.clip(world.accuracy + world.spread * error * places_K, 0.01, 0.995)
    hard_N, own_NK = generator.standard_normal((world.rows, 1)), generator.standard_normal((world.rows, n))
    return truth_K, np.sqrt(world.alike) * hard_N + np.sqrt(1 - world.alike) * own_NK < stats.norm.ppf(truth_K)


def coverage(world: World, n_studies: int) -> dict[str, float]:
    """How often each interval holds the truth, and how far the corrected score is from it on average."""
    covered: dict[str, list[bool]] = {"corrected": [], "bbc percentiles": [], "bbc, winner's error": [], "naive": []}
    errors, luck, widths = [], [], []
    for number in range(n_studies):
        generator = np.random.default_rng([number, world.rows, world.configurations])
        truth_K, rows_NK = draw(world, generator)
        found = correct_best(rows_NK, generator=generator)
        true = truth_K[found.winner]
        groups = _grouped(rows_NK, 1)
        peers = np.concatenate([_of_chosen(*pair) for pair in _resampled(*groups, generator, 500)])
        error = 1.96 * rows_NK[:, found.winner].std() / np.sqrt(world.rows)
        intervals = {
            "corrected": found.interval,
            "bbc percentiles": tuple(np.quantile(peers, [0.025, 0.975])),
            "bbc, winner's error": (found.corrected - error, found.corrected + error),
            "naive": wilson_interval(int(rows_NK[:, found.winner].sum()), world.rows),
        }
        for name, (low, high) in intervals.items():
            covered[name].append(low <= true <= high)
        errors.append(100 * (found.corrected - true))
        luck.append(100 * (found.score - true))
        widths.append(100 * (found.interval[1] - found.interval[0]))
    shares = {f"covers, {name}, %": 100 * float(np.mean(hits)) for name, hits in covered.items()}
    return shares | {
        "true optimism, points": float(np.mean(luck)),
        "left after correction, points": float(np.mean(errors)),
        "width, points": float(np.median(widths)),
    }


def false_claims(world: World, n_studies: int) -> dict[str, float]:
    """How often the best of equal configurations is called better: than chance, and than the default after re-runs."""
    than_chance, than_default, naive = [], [], []
    first_studies = n_studies // MORE
    for number in range(n_studies):
        generator = np.random.default_rng([number, world.rows, 1])
        _, rows_NK = draw(world, generator)
        against = draw(world, generator)[1][:, 0] if world.accuracy == 0.5 else rows_NK[:, 0]
        than_chance.append(compare_best(rows_NK, against, generator=generator).p_value <= 0.05)
        by_chance = compare_best(rows_NK[:, 1:], rows_NK[:, 0], generator=generator)
        naive.append(by_chance.statistic > stats.norm.isf(0.05))
        again = [draw(world, generator)[1].T for _ in range(SEEDS)]
        rows_KSN = np.stack([np.stack([run[1 + k] for run in again]) for k in range(K_CONFIRMED)])
        default_SN = np.stack([run[0] for run in again])
        found = confirm_gain(
            rows_KSN.mean(axis=2),
            default_SN.mean(axis=1),
            rows_KSN=rows_KSN,
            default_SN=default_SN,
            by_chance=by_chance,
        )
        than_default.append(found.p_value <= 0.05)
    return {
        "studies": n_studies,
        f"called not better than chance, of the first {first_studies}, %": 100
        - 100 * float(np.mean(than_chance[:first_studies])),
        "called better than chance, %": 100 * float(np.mean(than_chance)),
        "called better than the default after re-runs, %": 100 * float(np.mean(than_default)),
        "would be by a test that forgets the choice, %": 100 * float(np.mean(naive)),
    }


def mixed_luck(of_rows: float, of_seeds: float, of_both: float, n_studies: int, gain: float = 0.0) -> float:
    """The share (%) of studies of 20 normal configurations called better; one of them truly is where `gain` is not 0.

    Args:
        of_rows: Standard deviation of what a configuration owes to the rows, the same on every seed.
        of_seeds: Of what a trained model owes to its seed, on any rows.
        of_both: Of what a model owes to these rows.
        n_studies: As many are simulated.
        gain: How much better the best configuration truly is.
    """
    n_rows, n, called = 400, 20, []
    for number in range(n_studies):
        generator = np.random.default_rng([number, 7])
        row_NK = of_rows * np.sqrt(n_rows) * generator.standard_normal((n_rows, n + 1))
        row_NK[:, 1] += gain

        def run(generator=generator, row_NK=row_NK) -> NDArray:
            of_model = of_seeds * generator.standard_normal(n + 1)
            return row_NK + of_model + of_both * np.sqrt(n_rows) * generator.standard_normal(row_NK.shape)

        study_NK = run()
        by_chance = compare_best(study_NK[:, 1:], study_NK[:, 0], generator=generator, n_resamples=1000)
        chosen = 1 + np.argsort(-study_NK[:, 1:].mean(axis=0))[:K_CONFIRMED]
        again = np.stack([run().T for _ in range(SEEDS)], axis=1)  # (K + 1, S, N)
        found = confirm_gain(
            again[chosen].mean(axis=2),
            again[0].mean(axis=1),
            rows_KSN=again[chosen],
            default_SN=again[0],
            by_chance=by_chance,
        )
        called.append(found.p_value <= 0.05)
    return 100 * float(np.mean(called))


def main() -> None:
    n_studies = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    figures: dict = {"studies of each kind": n_studies, "false claims": {}, "coverage": {}}
    for world in WORLDS:
        if world.spread == 0:
            figures["false claims"][world.name] = false_claims(world, MORE * n_studies)
            print(world.name, figures["false claims"][world.name], file=sys.stderr, flush=True)
        figures["coverage"][world.name] = coverage(world, n_studies)
        print(world.name, figures["coverage"][world.name], file=sys.stderr, flush=True)
    mixtures = [(1, 0, 0), (0.01, 1, 0), (1, 1, 0), (0.5, 0.5, 1), (1, 0.3, 1)]
    figures["called better, luck mixed of rows, seeds and both, %"] = {
        str(mixture): {
            "no gain": mixed_luck(*mixture, MORE * n_studies),
            "a gain of 4": mixed_luck(*mixture, n_studies, 4.0),
        }
        for mixture in mixtures
    }
    write("selection_honesty", figures)


if __name__ == "__main__":
    main()
