"""Failed trials are told apart by their errors, and blamed on a parameter only where that can be told."""

from trialwise.reports.failures import by_error, by_parameter, failure_chapters

SPACE = {"rate": {"low": 1e-4, "high": 0.1, "log": True}}


def trial(number, rate, kind, reason=None):
    notes = {"reason": reason} if reason else {}
    return {
        "number": number,
        "state": "failed" if reason else "complete",
        "value": None if reason else 1.0,
        "params": {"rate": rate, "kind": kind},
        "scores": {},
        "notes": notes,
    }


def of_high_rates():
    """Ten trials of high rates, which fail, and twenty of low ones, which do not."""
    high = [trial(n, 0.05 + n / 1000, "ab"[n % 2], f"ValueError: loss is {n}.5\nmore") for n in range(10)]
    low = [trial(n, 0.0001 * (n - 9), "ab"[n % 2]) for n in range(10, 30)]
    return high + low


def test_errors_that_differ_in_numbers_alone_are_one_kind_and_the_first_line_is_shown():
    failed = [t for t in of_high_rates() if t["state"] == "failed"]
    assert by_error(failed) == [("ValueError: loss is 0.5", list(range(10)))]
    other = trial(99, 0.01, "a", "KeyError: 'x'")
    assert [len(numbers) for _, numbers in by_error([other, *failed])] == [10, 1]


def test_the_parameter_that_failures_go_with_is_named_with_its_values():
    worst, other = by_parameter(of_high_rates(), SPACE)
    assert (worst.name, worst.n_failed, worst.n, worst.n_failed_else) == ("rate", 10, 10, 0)
    assert worst.p_value < 1e-4
    assert (other.name, other.p_value) == ("kind", 1.0)
    (chapter,) = failure_chapters(of_high_rates(), SPACE)
    assert "10 of 30 trials failed. They go with rate 0.00" in chapter.sentences[0]
    assert "10 of 10 failed there, 0 of 20 elsewhere" in chapter.sentences[0]


def test_nothing_is_blamed_where_failures_are_spread_evenly():
    trials = [trial(n, 0.001 * (n + 1), "ab"[n % 2], "OSError" if n % 4 < 2 else None) for n in range(40)]
    (chapter,) = failure_chapters(trials, {})
    assert "No parameter can be told to be the cause." in chapter.sentences[0]
    assert failure_chapters([trial(0, 0.1, "a")], {}) == ()


def test_a_paused_trial_and_a_single_value_say_nothing():
    trials = [trial(n, 0.01, "a", "OSError" if n < 2 else None) for n in range(4)]
    trials.append(trials[0] | {"state": "paused"})
    assert by_parameter(trials, {}) == []
