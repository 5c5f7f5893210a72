import numpy as np
import pytest

from trialwise.base.errors import UserError
from trialwise.images.predictions import (
    TEST_FILE,
    VALID_FILE,
    TestPredictions,
    ValidPredictions,
    copy_valid,
    load_test,
    load_valid,
    save_predictions,
)

VALID = ValidPredictions(
    rows_N=np.array([4, 9]), labels_N=np.array([0, 1]), logits_NK=np.array([[1, -1], [0.5, 2]], dtype=np.float32)
)
TEST = TestPredictions(
    digests_N8=np.arange(16, dtype=np.uint8).reshape(2, 8), labels_N=np.array([1, 0]), plain_N=np.array([1, 1])
)


def test_predictions_come_back_as_they_were(tmp_path):
    save_predictions(VALID, tmp_path)
    save_predictions(TEST, tmp_path)
    valid, test = load_valid(tmp_path), load_test(tmp_path)
    for kept, found in ((VALID, valid), (TEST, test)):
        for name, array in vars(kept).items():
            if array is None:
                assert getattr(found, name) is None
            else:
                np.testing.assert_array_equal(getattr(found, name), array)
                assert getattr(found, name).dtype == array.dtype
    assert sorted(path.name for path in tmp_path.iterdir()) == [TEST_FILE, VALID_FILE]


def test_a_folder_without_predictions_has_none(tmp_path):
    assert load_valid(tmp_path) is None
    assert load_test(tmp_path) is None


@pytest.mark.parametrize("content", [b"", b"no archive at all"])
def test_a_damaged_file_is_named(tmp_path, content):
    (tmp_path / TEST_FILE).write_bytes(content)
    with pytest.raises(UserError, match=r"test_predictions\.npz is damaged"):
        load_test(tmp_path)


def test_a_torn_file_is_named(tmp_path):
    save_predictions(TEST, tmp_path)
    whole = (tmp_path / TEST_FILE).read_bytes()
    (tmp_path / TEST_FILE).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match="is damaged"):
        load_test(tmp_path)


def test_pickles_are_refused_and_missing_arrays_named(tmp_path):
    np.savez(tmp_path / TEST_FILE, digests_N8=np.array([object()]), labels_N=[0], plain_N=[0])
    with pytest.raises(UserError, match="is damaged"):
        load_test(tmp_path)
    np.savez(tmp_path / TEST_FILE, labels_N=np.array([0]))
    with pytest.raises(UserError, match="it has no digests_N8, plain_N"):
        load_test(tmp_path)


def test_a_copy_takes_the_place_of_what_was_there_even_where_there_is_nothing(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    save_predictions(VALID, one)
    copy_valid(one, two)
    assert load_valid(two).rows_N.tolist() == [4, 9]
    (one / VALID_FILE).unlink()
    copy_valid(one, two)
    assert load_valid(two) is None
