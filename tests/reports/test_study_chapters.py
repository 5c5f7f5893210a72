"""What a report says of a second goal and of an earlier study."""

from trialwise.reports.study_chapters import study_chapters
from trialwise.reports.study_sentences import transfer_sentences


def trial(number, value, size, state="complete"):
    return {"number": number, "value": value, "state": state, "params": {"w": size}, "notes": {"size": size}}


TRIALS = [trial(0, 0.8, 50), trial(1, 0.9, 100), trial(2, 0.7, 10), trial(3, 0.6, 90), trial(4, 0.9, 5, "pruned")]
FRONT = [{"number": n, "value": TRIALS[n]["value"], "size": TRIALS[n]["notes"]["size"]} for n in (2, 0, 1)]
RESULT = {"also": {"name": "size", "direction": "minimize"}, "pareto": FRONT, "score": "accuracy", "default": {}}


def test_the_front_is_told_drawn_and_listed():
    (chapter,) = study_chapters(RESULT, TRIALS)
    assert "From trial 2 (0.7 with size 10) to trial 1 (0.9 with size 100)" in chapter.sentences[0]
    assert chapter.tables[0].rows == (("2", "0.7", "10", "10"), ("0", "0.8", "50", "50"), ("1", "0.9", "100", "100"))
    (picture,) = chapter.pictures
    assert picture.alt.startswith(
        "4 complete trials, 3 of them on the front of accuracy and size: trial 2: 0.7 with 10"
    )
    for words in ("on the front", "beaten by one of these", "untuned default", "less is better"):
        assert words in picture.svg


def test_trials_without_the_number_are_counted():
    unknown = {"number": 5, "value": 1.0, "state": "complete", "params": {}, "notes": {}}
    (chapter,) = study_chapters(RESULT, [*TRIALS, unknown])
    assert "Not shown, for want of a number: 1 of 5." in chapter.sentences
    (chapter,) = study_chapters(RESULT | {"pareto": []}, [unknown])
    assert not chapter.pictures
    assert "No complete trial has a number for size." in chapter.sentences


def test_one_trial_best_in_both():
    (chapter,) = study_chapters(RESULT | {"pareto": FRONT[:1]}, TRIALS)
    assert chapter.sentences == ("One trial, 2, is best in both: 0.7 with size 10.",)


def test_a_study_without_either_has_no_chapters():
    assert study_chapters({"score": "accuracy"}, TRIALS) == ()


def found(winner, **groups):
    described = {
        name.replace("_", " "): {"trials": numbers, "complete": len(numbers), "best_value": value, "best_trial": 1}
        for name, (numbers, value) in groups.items()
    }
    return {"study": "runs/then", "differences": [], "groups": described, "winner": winner, "chance": 0.25}


def test_what_came_of_the_earlier_study_claims_no_more_than_one_study_can():
    groups = {"own": ([4, 5, 6], 0.9), "earlier_best": ([1, 2], 0.95), "from_both": ([3], None)}
    won = " ".join(transfer_sentences(found("earlier best", **groups)))
    assert "Its 2 best configurations (trials 1, 2) gave 0.95 at best" in won
    assert "the 3 proposed without it (trials 4, 5, 6) gave 0.9 at best" in won
    assert "drawn by lot, it would be one that the earlier study had a part in with a chance of 25.0 %" in won
    assert "One study is one draw" in won
    for winner in ("own", "default"):
        lost = " ".join(transfer_sentences(found(winner, **groups)))
        assert "nothing shows that starting from" in lost.lower()
    assert "proposed from the trials of both (" in " ".join(transfer_sentences(found("from both", **groups)))
