"""Proposals for numbers without noise: a Gaussian process looks around, local models polish what it found."""

import dataclasses
import math
from collections.abc import Callable, Generator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState
from scipy.optimize import Bounds, minimize

from trialwise.tuning.polynomials import exact_minimizer
from trialwise.tuning.unit_scale import from_unit, to_unit

N_FIRST = 10  # spread over the box before any model
FIRST_RADIUS = 0.05  # COBYQA's steps, in edges of the box
LAST_RADIUS = 1e-6
SAME_PLACE = 1e-5

Point = NDArray[np.float64]


@dataclasses.dataclass
class History:
    """What is known: points in the unit cube and their values, to be made small; NaN where a trial failed."""

    points: list[Point] = dataclasses.field(default_factory=list)
    values: list[float] = dataclasses.field(default_factory=list)

    def good(self) -> tuple[NDArray, NDArray]:
        """The distinct points with a value, (N, D), and the values, (N,)."""
        known = {point.tobytes(): (point, value) for point, value in zip(self.points, self.values, strict=True)}
        kept = [(point, value) for point, value in known.values() if math.isfinite(value)]
        return np.array([point for point, _ in kept]), np.array([value for _, value in kept])

    def value_at(self, point: Point) -> float | None:
        """The value there; where the trial failed, the worst of those before it; None where there was no trial."""
        for i, known in enumerate(self.points):
            if np.array_equal(known, point):
                before = [value for value in self.values[:i] if math.isfinite(value)]
                return self.values[i] if math.isfinite(self.values[i]) else max(before, default=0.0)
        return None


def requests(history: History, n_dims: int, *, deterministic: bool) -> Generator[Point | None]:
    """What to evaluate next, for ever: a point, or None for "look around"; the caller extends `history` meanwhile.

    First a look around, wider in more dimensions. Then the best point is polished by COBYQA (Ragonneau & Zhang 2024,
    scipy), and so on in turn; where polynomials foretell every known value, the minimiser of one comes first.
    Polishing what is noisy would chase noise: unless `deterministic` is known, the first point is evaluated a second
    time, and where the value is another one everything after is looking around.
    """
    while len(history.good()[1]) < N_FIRST:
        yield None
    if not deterministic:
        first = next(i for i, value in enumerate(history.values) if math.isfinite(value))
        while history.points[first].tobytes() not in {p.tobytes() for p in history.points[first + 1 :]}:
            yield history.points[first]
        again = [
            v for p, v in zip(history.points, history.values, strict=True) if np.array_equal(p, history.points[first])
        ]
        while len(set(again)) > 1:
            yield None
    polished: list[Point] = []
    yield from _jumps(history)
    look_until = N_FIRST + n_dims * (n_dims - 1)
    while True:
        while len(history.values) < look_until:
            yield None
            yield from _jumps(history)
        points_ND, values_N = history.good()
        start_D = points_ND[int(np.argmin(values_N))]
        if not any(np.abs(start_D - place).max() < SAME_PLACE for place in polished):
            yield from _polish(history, start_D)
            points_ND, values_N = history.good()
            polished.append(points_ND[int(np.argmin(values_N))])
        look_until = len(history.values) + 4 * n_dims


def _jumps(history: History) -> Generator[Point]:
    """Minimisers of believed polynomials, as long as each is better than what was known before."""
    while True:
        points_ND, values_N = history.good()
        point_D = exact_minimizer(points_ND, values_N)
        if point_D is None:
            return
        while history.value_at(point_D) is None:
            yield point_D
        value = history.value_at(point_D)
        if value is None or value >= values_N.min():
            return


def _polish(history: History, start_D: Point) -> Generator[Point]:
    """COBYQA's points, from `start_D` until its steps are tiny."""
    while (point_D := _next_of_cobyqa(history, start_D)) is not None:
        while history.value_at(point_D) is None:
            yield point_D
        yield from _jumps(history)


class _Unknown(Exception):
    """COBYQA has come to a point without a value."""

    def __init__(self, point_D: Point) -> None:
        self.point_D = point_D


def _next_of_cobyqa(history: History, start_D: Point) -> Point | None:
    """The first point without a value on COBYQA's way from `start_D`; None where it comes to an end.

    It goes the whole way anew each time. Holding it half-way between two trials would be faster, but SciPy lets only
    one such search be under way in a process: a second study would wait for ever.
    """

    def value(point_D: Point) -> float:
        known = history.value_at(point_D)
        if known is None:
            raise _Unknown(point_D.copy())
        return known

    bounds = Bounds(np.zeros(len(start_D)), np.ones(len(start_D)))
    options = {"initial_tr_radius": FIRST_RADIUS, "final_tr_radius": LAST_RADIUS, "maxfev": 100 * len(start_D)}
    try:
        minimize(value, start_D, method="COBYQA", bounds=bounds, options=options)
    except _Unknown as stop:
        return stop.point_D
    return None


class PolishSampler(BaseSampler):
    """`requests` as an Optuna sampler over real numbers: None goes to `look_around`, points to the trial.

    One object may serve a whole study or each trial its own: what is proposed depends on the finished trials alone.
    While other trials run, everything is looking around.
    """

    def __init__(self, look_around: Callable[[int], BaseSampler], *, deterministic: bool) -> None:
        """Make the sampler.

        Args:
            look_around: The sampler for the trial of a number, the first `N_FIRST` being spread over the box.
            deterministic: Whether one point always has one value; False where that is not known.
        """
        self._look_around = look_around
        self._deterministic = deterministic
        self._history = History()
        self._requests: Generator[Point | None] | None = None
        self._asked: tuple[Point, dict[str, float]] | None = None

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """The parameters of the trials before."""
        return self._look_around(trial.number).infer_relative_search_space(study, trial)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The parameters of the next trial."""
        trials = study.get_trials(deepcopy=False)
        ended = [other for other in trials if other.state in (TrialState.COMPLETE, TrialState.FAIL) and other.params]
        sign = 1.0 if study.direction == StudyDirection.MINIMIZE else -1.0
        for other in ended[len(self._history.values) :]:
            self._add(other, sign)
        running = any(other.state == TrialState.RUNNING and other.number != trial.number for other in trials)
        if self._asked is None or running:
            return self._look_around(trial.number).sample_relative(study, trial, search_space)
        return dict(self._asked[1])

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A parameter on its own, before there are models."""
        return self._look_around(trial.number).sample_independent(study, trial, param_name, param_distribution)

    def _add(self, trial: FrozenTrial, sign: float) -> None:
        """Put an ended trial into the history, and see what is asked for next."""
        space = {name: d for name, d in trial.distributions.items() if isinstance(d, FloatDistribution)}
        point_D = np.array([to_unit(d, trial.params[name]) for name, d in space.items()])
        if self._asked is not None and self._asked[1] == trial.params:
            point_D = self._asked[0]  # the very point that was asked for, without the rounding of the way back
        self._history.points.append(point_D)
        self._history.values.append(sign * trial.value if trial.value is not None else math.nan)
        if self._requests is None:
            self._requests = requests(self._history, len(space), deterministic=self._deterministic)
        asked = next(self._requests)
        names = zip(space, asked, strict=True) if asked is not None else ()
        self._asked = None if asked is None else (asked, {name: from_unit(space[name], float(u)) for name, u in names})
