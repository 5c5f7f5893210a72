import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialwise.base.errors import UserError
from trialwise.images.held_out import open_test
from trialwise.images.splits import split_off_test
from trialwise.images.store import open_train, split_train_valid

many_labels = st.lists(st.integers(2, 30), min_size=1, max_size=8).flatmap(
    lambda counts: st.permutations([label for label, count in enumerate(counts) for _ in range(count)])
)


@given(labels=many_labels, fraction=st.floats(0.001, 0.999), seed=st.integers(0, 2**40))
def test_a_valid_split_is_disjoint_complete_and_has_every_class(labels, fraction, seed):
    labels_N = np.array(labels)
    train, valid = split_train_valid(labels_N, valid_fraction=fraction, seed=seed)
    assert sorted([*train, *valid]) == list(range(len(labels)))
    for rows in [train, valid]:
        assert (np.diff(rows) > 0).all()
        assert set(labels_N[rows]) == set(labels)
    for label in set(labels):
        n_rows, n_valid = labels.count(label), int((labels_N[valid] == label).sum())
        assert abs(n_valid - fraction * n_rows) <= 0.5 or n_valid in (1, n_rows - 1)
    again = split_train_valid(labels_N, valid_fraction=fraction, seed=seed)
    assert (again[0] == train).all()
    assert (again[1] == valid).all()


def test_another_seed_gives_another_valid_split():
    labels_N = np.repeat(np.arange(5), 100)
    splits = {split_train_valid(labels_N, valid_fraction=0.1, seed=seed)[1].tobytes() for seed in range(10)}
    assert len(splits) == 10


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5, float("nan")])
def test_a_valid_fraction_out_of_range_is_refused(fraction):
    with pytest.raises(UserError, match="--valid-fraction"):
        split_train_valid(np.array([0, 0, 1, 1]), valid_fraction=fraction, seed=0)


def test_a_class_of_one_row_cannot_be_split():
    with pytest.raises(UserError, match="class number 1 has a single training row"):
        split_train_valid(np.array([0, 0, 1]), valid_fraction=0.5, seed=0)


@given(rows=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 25)), min_size=1, max_size=80))
def test_a_test_split_never_has_a_picture_on_both_sides(rows):
    labels_N = np.array([label for label, _ in rows])
    digests = [str(picture).encode() for _, picture in rows]
    is_test_N = split_off_test(labels_N, digests)
    sides = {True: set(), False: set()}
    for digest, is_test in zip(digests, is_test_N, strict=True):
        sides[bool(is_test)].add(digest)
    assert not sides[True] & sides[False]
    for label in set(labels_N.tolist()):
        in_class = labels_N == label
        assert not (is_test_N & in_class).any() or (~is_test_N & in_class).sum() >= 2


@given(counts=st.lists(st.integers(3, 40), min_size=1, max_size=5))
def test_a_test_split_of_different_pictures_takes_a_fifth_of_each_class(counts):
    labels_N = np.repeat(np.arange(len(counts)), counts)
    is_test_N = split_off_test(labels_N, [str(row).encode() for row in range(len(labels_N))])
    for label, count in enumerate(counts):
        assert is_test_N[labels_N == label].sum() == max(round(count / 5), 1)


def test_a_class_with_too_few_images(tmp_path, write_images, refusal, prepared):
    folder = write_images(tmp_path / "set", {"many": 5, "few": 2})
    message = refusal(folder)
    assert str(folder) in message
    assert "class 'few' has too few usable images: expected three or more, got 2" in message
    (folder / "few" / "3.png").write_text("broken does not count")
    assert "class 'few'" in refusal(folder)
    write_images(folder, {"many": 5, "few": 3})
    (folder / "few" / "3.png").unlink()
    assert prepared(folder).description.test_counts == (1, 1)


def test_a_class_with_too_few_training_images_beside_a_test_folder(tmp_path, write_images, refusal, prepared):
    write_images(tmp_path / "set" / "test", {"few": 5, "many": 5})
    folder = write_images(tmp_path / "set" / "train", {"few": 1, "many": 5}).parent
    assert "class 'few' has too few usable training images: expected two or more, got 1" in refusal(folder)
    write_images(tmp_path / "set" / "train", {"few": 2})
    assert prepared(folder).description.train_counts == (2, 5)


def test_a_test_folder_of_broken_images(tmp_path, write_images, refusal):
    folder = write_images(tmp_path / "set" / "train", {"a": 3, "b": 3}).parent
    (folder / "test" / "a").mkdir(parents=True)
    (folder / "test" / "a" / "1.png").write_text("a text")
    assert "none of the test images can be decoded" in refusal(folder)


def copies(folder, name, count, source):
    for number in range(count):
        (folder / name / f"copy{number}.png").write_bytes(source.read_bytes())


def test_copies_of_a_picture_stay_on_one_side(tmp_path, write_images, prepared):
    folder = write_images(tmp_path / "set", {"a": 10, "b": 10})
    for number in range(10):
        original = folder / "a" / f"{number:03}.png"
        (folder / "a" / f"{number:03}-copy.png").write_bytes(original.read_bytes())
    data = prepared(folder)
    assert data.description.test_counts == (4, 2)
    train = {image.tobytes() for image in open_train(data).images_NHWC}
    assert not train & {image.tobytes() for image in open_test(data).images_NHWC}
    assert data.description.notes == ()


def test_a_class_of_copies_of_one_picture_cannot_be_tested(tmp_path, write_images, refusal):
    folder = write_images(tmp_path / "set", {"a": 1, "b": 10})
    copies(folder, "a", 5, folder / "a" / "000.png")
    assert "class 'a' has 6 images and hardly two different ones" in refusal(folder)


def test_copies_of_training_images_in_a_given_test_folder_are_noted(tmp_path, write_images, prepared):
    folder = write_images(tmp_path / "set" / "train", {"a": 3, "b": 3}).parent
    write_images(folder / "test", {"a": 2, "b": 2})
    copies(folder / "test", "a", 1, folder / "train" / "a" / "000.png")
    data = prepared(folder)
    assert data.description.notes == ("1 of the 5 test images are exact copies of training images",)


def test_copies_of_a_picture_stay_on_one_side_of_the_valid_split():
    labels_N = np.zeros(40, dtype=np.int64)
    digests = [str(row // 4).encode() for row in range(40)]  # ten pictures, four copies each
    train, valid = split_train_valid(labels_N, valid_fraction=0.25, seed=0, digests=digests)
    assert len(valid) == 8
    assert not {digests[row] for row in train} & {digests[row] for row in valid}
