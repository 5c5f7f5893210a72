from hypothesis import given
from hypothesis import strategies as st

from trialwise.base.seeds import child_seed, numpy_generator


def test_a_child_seed_is_the_same_on_every_machine():
    assert child_seed(0, "trial", 3) == 2139567152963068964


@given(st.integers(0, 2**63 - 1), st.text(), st.integers())
def test_names_and_numbers_make_different_children(seed, name, number):
    children = {
        child_seed(seed),
        child_seed(seed, name),
        child_seed(seed, name, number),
        child_seed(seed, number, name, 0),
    }
    assert len(children) == 4
    assert all(0 <= child < 2**63 for child in children)


def test_names_are_not_run_together():
    assert child_seed(0, "a", "b") != child_seed(0, "ab")


def test_generators_of_one_seed_agree():
    assert numpy_generator(1, "x").random(5).tolist() == numpy_generator(1, "x").random(5).tolist()
