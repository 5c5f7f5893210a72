import dataclasses

import pytest

from trialwise.tuning.ledger import AT_END
from trialwise.tuning.studies import TrialRecord
from trialwise.tuning.study_comparison import (
    StudyFacts,
    best_so_far,
    compare_studies,
    differences,
    flat_values,
    sentence,
    value_after,
)


def record(number, value, epochs, state="complete"):
    return TrialRecord(
        number=number,
        state=state,
        params={"x": number},
        value=value,
        scores=dict.fromkeys(range(1, epochs + 1), 0.5 if value is None else value),
        seconds=1.0,
        notes={},
    )


def study(name, values, *, seed=0, direction="minimize", settings=None, epochs=3, has_default=True):
    records = [record(number, value, epochs) for number, value in enumerate(values)]
    return StudyFacts(
        name=name,
        seed=seed,
        settings={"search.sampler": "tpe", **(settings or {})},
        space={"x": {"low": 0}},
        direction=direction,
        records=records,
        ended=[r.number for r in records],
        seconds=2.0,
        has_default=has_default,
    )


def test_the_best_value_so_far_goes_by_the_order_in_which_trials_ended():
    facts = StudyFacts(
        name="a",
        seed=0,
        settings={},
        space={},
        direction="maximize",
        records=[record(0, 0.5, 9), record(1, 0.9, 1, "pruned"), record(2, 0.7, 9), record(3, None, 2, "paused")],
        ended=[1, 2, 0],
        seconds=None,
        has_default=True,
    )
    assert best_so_far(facts) == [(10, 0.7)]
    assert value_after([(10, 0.7), (12, 0.8)], 11) == 0.7
    assert value_after([(10, 0.7)], 9) is None


def test_what_a_study_had_used_when_a_trial_was_complete_is_taken_from_its_note():
    """Trials that wait are pruned at the end of the study, but their epochs were used before."""
    noted = dataclasses.replace(record(2, 0.7, 9), notes={AT_END: {"begun": 12, "epochs": 30}})
    records = [record(0, 0.5, 9), record(1, 0.4, 3, "pruned"), noted]
    facts = dataclasses.replace(study("a", [], direction="maximize"), records=records, ended=[0, 2, 1])
    assert best_so_far(facts) == [(9, 0.5), (30, 0.7)]


def test_studies_are_compared_after_equally_many_epochs():
    document = compare_studies([study("a", [3.0, 2.0]), study("b", [2.5, 2.4, 1.0], settings={"search.sampler": "gp"})])
    assert document["common_epochs"] == 6
    assert [row["best_value_at_common_epochs"] for row in document["studies"]] == [2.0, 2.4]
    assert document["settings"] == {"search.sampler": ["tpe", "gp"]}
    assert document["space"] == {}
    assert document["over_seeds"] == []
    assert sentence(document).startswith("Best validation value after 6 epochs each: a 2, b 2.4. One study each is one")


def test_the_spread_is_known_between_seeds_alone():
    document = compare_studies([study("a", [3.0, 2.0]), study("b", [1.0, 4.0], seed=1), study("c", [1.0], seed=1)])
    (row,) = document["over_seeds"]
    assert row["runs"] == ["a", "b", "c"]
    assert row["mean"] == pytest.approx(4 / 3)
    assert "one draw" not in sentence(document)
    again = compare_studies([study("a", [3.0]), study("b", [3.0])])
    assert again["over_seeds"] == [], "one seed twice has no spread"


def test_other_data_is_said_and_not_compared():
    document = compare_studies([study("a", [1.0], settings={"content_sha256": "1"}), study("b", [2.0])])
    assert not document["same_task"]
    assert "cannot be compared" in sentence(document)


def test_differences_are_found_in_nested_settings():
    tables = [
        flat_values({"train": {"width": 8, "augment": {"flip": True}}, "folder": "a"}),
        flat_values({"train": {}}),
    ]
    assert differences(tables) == {"train.width": [8, None], "train.augment.flip": [True, None]}


def test_the_first_trial_is_the_default_only_where_there_is_one():
    document = compare_studies([study("a", [3.0, 2.0]), study("b", [2.5, 2.4], has_default=False)])
    assert [row["default_value"] for row in document["studies"]] == [3.0, None]
