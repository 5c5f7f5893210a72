"""What is learnt from an earlier study, and what is proposed from it."""

import json
import math

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from trialwise.base.errors import UserError
from trialwise.tuning.earlier import N_FIRST, Earlier, learnt_from
from trialwise.tuning.earlier_proposals import HALVED_AFTER, MixedSampler, Proposals
from trialwise.tuning.samplers import sampler_for_each_trial
from trialwise.tuning.spaces import Choice, Float, Int, distributions

THEN = {
    "x": FloatDistribution(0, 1),
    "n": IntDistribution(1, 100),
    "kind": CategoricalDistribution(("a", "b", "old")),
    "gone": FloatDistribution(0, 1),
}
NOW = {
    "x": Float(low=0.2, high=1),
    "n": Float(low=1, high=9),
    "kind": Choice(choices=("a", "b", "new")),
    "fresh": Int(low=1, high=9, default=5),
}
DEFAULT = {"x": 0.5, "n": 3.0, "kind": "new", "fresh": 5}


def complete(value, **params):
    params = {"x": 0.5, "n": 10, "kind": "a", "gone": 0.1} | params
    return create_trial(params=params, distributions=THEN, value=value)


def pruned(score, epoch, **params):
    params = {"x": 0.5, "n": 10, "kind": "a", "gone": 0.1} | params
    steps = {1: 9.0, epoch: score}
    return create_trial(
        state=TrialState.PRUNED, params=params, distributions=THEN, value=score, intermediate_values=steps
    )


def learnt(trials, space=NOW, **given):
    given = {"label": "then", "direction": "minimize", "new_direction": "minimize", "default": DEFAULT} | given
    return learnt_from(trials, space=space, **given)


def test_the_best_are_distinct_complete_and_moved_into_the_new_ranges():
    trials = [
        complete(0.3, x=0.1),
        complete(0.2, x=0.15),  # moved to the same place as the one before
        pruned(0.0, 3, x=0.6),
        complete(0.4, x=0.7, kind="b"),
        complete(0.9, x=0.9),
        pruned(math.nan, 2, x=0.8),
        complete(0.5, x=0.3),
    ]
    assert learnt(trials).first == (
        {"x": 0.2, "n": 3.0, "kind": "a", "fresh": 5},
        {"x": 0.7, "n": 3.0, "kind": "b", "fresh": 5},
        {"x": 0.3, "n": 3.0, "kind": "a", "fresh": 5},
    )
    best = learnt(trials, direction="maximize", new_direction="maximize").first
    assert [config["x"] for config in best] == [0.9, 0.3, 0.7]


def test_a_choice_that_is_no_more_is_the_default_and_the_default_itself_does_not_run_twice():
    found = learnt([complete(0.1, kind="old"), complete(0.2)], space={"kind": NOW["kind"]}, default={"kind": "a"})
    assert found.first == ()
    assert [trial.params for trial in found.trials] == [{"kind": "a"}], "a trial outside says nothing of the inside"


def test_trials_inside_are_kept_best_first_as_tpe_ranks_them():
    trials = [pruned(0.1, 3), complete(0.9), pruned(0.5, 9), complete(0.2), complete(0.1, x=0.1)]
    found = learnt(trials)
    assert [(trial.score, trial.epochs) for trial in found.trials] == [(0.2, 0), (0.9, 0), (0.5, 9), (0.1, 3)]
    assert found.trials[0].params == {"x": 0.5, "kind": "a"}


def test_what_differs_is_said():
    said = "; ".join(learnt([complete(0.1)], new_direction="maximize").differences)
    assert "its score was to minimize, this study's is to maximize" in said
    assert "gone was searched then and is not now" in said
    assert "fresh was not searched then" in said
    assert "n was of kind Int and is Float now: not taken over" in said
    assert "x: 0 to 1 then, 0.2 to 1 now" in said
    assert "kind: a, b, old then, a, b, new now" in said
    same = {"x": Float(low=0, high=1), "gone": Float(low=0, high=1)}
    assert not any(
        "x" in sentence.split(":")[0] for sentence in learnt([complete(0.1)], same, default=None).differences
    )


def test_nothing_in_common_and_nothing_complete_are_errors():
    with pytest.raises(UserError, match="no parameter in common") as error:
        learnt([complete(0.1)], space={"y": Float(low=0, high=1)})
    assert error.value.hint == "it searched gone, kind, n, x; this study searches y"
    with pytest.raises(UserError, match="no complete trial"):
        learnt([pruned(0.1, 3)])


def test_what_was_learnt_survives_the_way_through_json():
    found = learnt([complete(0.1), pruned(0.2, 3), complete(0.3, kind="b")])
    assert Earlier.from_document(json.loads(json.dumps(found.to_document()))) == found


SPACE = {
    "x": Float(low=0, high=1),
    "kind": Choice(choices=("a", "b")),
    "slope": Float(low=1, high=9, when={"kind": ("b",)}),
}


def first_study(n=60):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    study.optimize(lambda t: (t.suggest_float("x", 0, 1) - 0.8) ** 2 + (t.suggest_categorical("kind", "ab") == "b"), n)
    return study.trials


def proposed(n, earlier, upto=None):
    """The parameters of `n` trials of a study that went on after its first `upto` ones with everything made anew."""
    proposals = Proposals(earlier, SPACE, seed=3, has_default=True)
    study = optuna.create_study()
    study.enqueue_trial({"x": 0.1, "kind": "b", "slope": 2.0})
    for number in range(n):
        if number == upto:
            proposals = Proposals(Earlier.from_document(earlier.to_document()), SPACE, seed=3, has_default=True)
        sampler = proposals.before(sampler_for_each_trial("tpe", 3, deterministic=False))
        study.sampler = sampler(number)
        trial = study.ask()
        params = {name: trial._suggest(name, d) for name, d in distributions(SPACE).items() if name != "slope"}
        if params["kind"] == "b":
            trial._suggest("slope", distributions(SPACE)["slope"])
        study.tell(trial, (params["x"] - 0.8) ** 2)
    return [trial.params for trial in study.trials]


def test_the_best_come_first_and_then_it_is_drawn_near_them():
    earlier = learnt(first_study(), space=SPACE, default=None)
    proposals = Proposals(earlier, SPACE, seed=3, has_default=True)
    found = proposed(20, earlier)
    assert [proposals.origin(number) for number in range(6)] == ["default", *["earlier best"] * 3, "from both", "own"]
    assert found[1:4] == [dict(config) for config in earlier.first]
    near = [abs(found[n]["x"] - 0.8) for n in range(20) if proposals.origin(n) == "from both"]
    assert sorted(near)[len(near) // 2] < 0.15


def test_a_study_that_goes_on_proposes_what_it_would_have():
    earlier = learnt(first_study(), space=SPACE, default=None)
    assert proposed(12, earlier) == proposed(12, earlier, upto=7)


def test_the_prior_fades():
    earlier = learnt(first_study(), space=SPACE, default=None)
    proposals = Proposals(earlier, SPACE, seed=0, has_default=False)
    assert proposals.origin(0) == "earlier best"
    assert {proposals.origin(number) for number in range(8 * HALVED_AFTER, 200)} == {"own"}
    nothing = Proposals(learnt([complete(0.1)]), NOW, seed=0, has_default=True)
    assert [nothing.origin(n) for n in range(2 + HALVED_AFTER, 40)] == ["own"] * (38 - HALVED_AFTER)


def test_earlier_scores_count_by_rank_alone():
    """Scores of another size and sign, even of another direction, give the same proposals."""
    other_way = [
        create_trial(params=t.params, distributions=t.distributions, value=1e6 - 1e3 * t.value) for t in first_study()
    ]
    one = learnt(first_study(), space=SPACE, default=None)
    other = learnt(other_way, space=SPACE, default=None, direction="maximize")
    assert one.first == other.first
    assert proposed(12, one) == proposed(12, other)


def test_trials_at_work_paused_and_failed_ones_do_not_disturb():
    earlier = learnt(first_study(), space=SPACE, default=None)
    study = optuna.create_study()
    known = distributions({name: SPACE[name] for name in ("x", "kind")})
    study.ask(known)
    paused = study.ask(known)
    paused.report(0.5, step=1)
    frozen = study.trials[paused.number]
    frozen.state = TrialState.PRUNED  # as `views.PausedAsPruned` shows it: without an end
    study.tell(study.ask(known), state=TrialState.FAIL)
    seen = [frozen if trial.number == paused.number else trial for trial in study.trials]
    study.get_trials = lambda **_: seen
    study.sampler = MixedSampler(earlier, SPACE, n_kept=10, seed=0)
    params = study.ask(known).params
    assert set(params) == {"x", "kind"}
    assert params["x"] == pytest.approx(0.8, abs=0.3)
    assert len(earlier.first) == N_FIRST
