import pytest

from trialwise.base.errors import UserError
from trialwise.functions.objective import FunctionObjective, changed_code, code_of, load_function
from trialwise.tuning.spaces import Choice, Float
from trialwise.tuning.trials import Trial

SPACE = {"x": Float(low=0, high=1)}


def test_a_function_in_the_current_folder_is_found(tmp_path):
    (tmp_path / "found_here.py").write_text("def loss(x):\n    return x + 1\n")
    assert load_function("found_here:loss", SPACE, tmp_path)(x=1) == 2


@pytest.mark.parametrize(
    ("source", "reference", "message"),
    [
        (None, "no_such_module_here:f", "no module named 'no_such_module_here'"),
        ("import also_missing\n", "m1:f", "m1 cannot be imported: No module named 'also_missing'"),
        ("1 / 0\n", "m2:f", "m2 cannot be imported: ZeroDivisionError"),
        ("def loss(x): ...\n", "m3:los", "m3 has no function 'los'"),
        ("loss = 3\n", "m4:loss", "m4 has no function 'loss'"),
        ("def loss(y): ...\n", "m5:loss", "cannot be called with x"),
        ("import sys\nsys.exit(0)\n", "m6:loss", "m6 cannot be imported: SystemExit"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path, source, reference, message):
    if source is not None:
        (tmp_path / f"{reference.split(':')[0]}.py").write_text(source)
    with pytest.raises(UserError, match=message):
        load_function(reference, SPACE, tmp_path)


def test_an_argument_that_is_sometimes_left_out_needs_a_default(tmp_path):
    (tmp_path / "at_times.py").write_text("def loss(x, y): ...\ndef kind(x, y=0.5): ...\n")
    space = {"x": Choice(choices=("a", "b")), "y": Float(low=0, high=1, when={"x": ("a",)})}
    assert load_function("at_times:kind", space, tmp_path)
    with pytest.raises(UserError, match="cannot be called with x alone: missing a required argument: 'y'") as caught:
        load_function("at_times:loss", space, tmp_path)
    assert "give its argument a default" in caught.value.hint


def test_a_function_is_called_once_a_trial():
    calls = []
    objective = FunctionObjective(lambda x: calls.append(x) or 2 * x)
    assert list(objective({"x": 3}, Trial(number=0, seed=0, max_epochs=1))) == [6.0]
    assert calls == [3]
    assert list(objective({"x": 3}, Trial(number=0, seed=0, max_epochs=1, epochs_done=1))) == []


def test_what_a_function_prints_stays_out_of_the_data(capsys):
    objective = FunctionObjective(lambda x: print("chatter") or x)
    assert list(objective({"x": 3}, Trial(number=0, seed=0, max_epochs=1))) == [3.0]
    assert capsys.readouterr() == ("", "chatter\n")


def test_a_file_is_known_by_its_content(tmp_path):
    file = tmp_path / "known_here.py"
    file.write_text("def loss(x):\n    return x\n")
    known = code_of("known_here:loss", tmp_path)
    assert known["file"] == str(file)
    assert changed_code(known, "known_here:loss", tmp_path) is None
    file.write_text("def loss(x):\n    return 2 * x\n")
    assert changed_code(known, "known_here:loss", tmp_path).startswith(f"{file} has changed")
    assert changed_code(None, "known_here:loss", tmp_path) is None
    assert code_of("quadratic", tmp_path) is None
    assert code_of("math:sqrt", tmp_path) is None or "sha256" in code_of("math:sqrt", tmp_path)
