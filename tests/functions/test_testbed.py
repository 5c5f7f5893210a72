import numpy as np
import pytest

from trialwise.base.errors import UserError
from trialwise.functions.landscape import landscape
from trialwise.functions.testbed import NAMES, Problem, known_problem


@pytest.mark.parametrize("name", NAMES)
def test_the_known_minimum_is_reached_there_and_nowhere_below(name):
    problem = known_problem(name)
    for point in problem.minimizers:
        assert problem.function(**point) == pytest.approx(problem.minimum, abs=1e-5)
        assert all(problem.space[key].low <= value <= problem.space[key].high for key, value in point.items())
    random = np.random.default_rng(0)
    for _ in range(2000):
        point = {key: random.uniform(p.low, p.high) for key, p in problem.space.items()}
        assert problem.function(**point) >= problem.minimum - 1e-9


def test_the_quadratic_is_not_solved_by_trying_the_center_of_its_box():
    assert known_problem("quadratic").function(x=0, y=0) == pytest.approx(3.7**2 + 2.1**2)
    assert known_problem("quadratic", center=(0, 0)).function(x=0, y=0) == 0


def test_what_is_not_known_is_refused():
    with pytest.raises(UserError) as caught:
        known_problem("quadratik")
    assert caught.value.hint == "did you mean 'quadratic'?"
    with pytest.raises(UserError, match="two numbers"):
        known_problem("quadratic", center=(1, 2, 3))
    with pytest.raises(UserError, match="two numbers"):
        known_problem("quadratic", center=(11, 0))
    with pytest.raises(UserError, match="only quadratic"):
        known_problem("branin", center=(0, 0))


def test_the_landscape_is_the_function_on_a_grid():
    problem = known_problem("branin")
    grid = landscape(problem)
    assert grid["values"].shape == (101, 101)
    assert grid["values"][7, 90] == pytest.approx(problem.function(x=grid["x"][90], y=grid["y"][7]), abs=1e-5)
    assert landscape(known_problem("hartmann6")) is None
    assert landscape(Problem(name="mine", function=print, space=problem.space)) is None
