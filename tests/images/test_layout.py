import pytest

from trialwise.base.errors import UserError
from trialwise.images.layout import arrange, arrange_placed
from trialwise.images.sources import find_source


def files_of(source):
    return [entry.file for entry in source.entries()]


def laid_out(folder):
    source = find_source(str(folder))
    return arrange(files_of(source), location=source.location)


def refusal(folder):
    with pytest.raises(UserError) as caught:
        laid_out(folder)
    assert str(folder) in caught.value.message
    assert caught.value.hint
    return caught.value


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


def test_class_folders_without_splits(pictures):
    layout = laid_out(pictures)
    assert layout.classes == ("cats", "dogs")
    assert layout.places["dogs/009.png"] == ("train", "dogs")
    assert len(layout.places) == 20
    assert not layout.has_test
    assert layout.left_out == ()
    assert layout.notes == ()


def test_train_and_test_folders_in_any_case(tmp_path):
    touch(tmp_path, "Train/b/1.PNG", "Train/a/1.jpeg", "TEST/a/2.webp")
    layout = laid_out(tmp_path)
    assert layout.classes == ("a", "b")
    assert layout.has_test
    assert layout.places == {
        "Train/b/1.PNG": ("train", "b"),
        "Train/a/1.jpeg": ("train", "a"),
        "TEST/a/2.webp": ("test", "a"),
    }


@pytest.mark.parametrize("name", ["val", "valid", "validation"])
def test_a_validation_folder_stands_in_for_test_where_there_is_none(tmp_path, name):
    touch(tmp_path, "train/a/1.png", "train/b/1.png", f"{name}/a/2.png")
    layout = laid_out(tmp_path)
    assert layout.places[f"{name}/a/2.png"] == ("test", "a")
    assert layout.notes == (f"{name}/ is used as the test images, because there is no test/",)
    touch(tmp_path, "test/b/3.png")
    layout = laid_out(tmp_path)
    assert layout.places["test/b/3.png"] == ("test", "b")
    assert f"{name}/a/2.png" not in layout.places
    assert "not used" in layout.notes[0]


def test_folders_inside_a_class_belong_to_it(tmp_path):
    touch(tmp_path, "a/x/1.png", "a/2.png", "b/y/z/3.png")
    assert laid_out(tmp_path).places == {
        "a/x/1.png": ("train", "a"),
        "a/2.png": ("train", "a"),
        "b/y/z/3.png": ("train", "b"),
    }


def test_one_folder_around_everything_is_looked_through(tmp_path):
    touch(tmp_path, "set-1.0/train/a/1.png", "set-1.0/train/b/1.png", "set-1.0/test/a/2.png", "README.md")
    touch(tmp_path, "set-1.0/logo.png")
    layout = laid_out(tmp_path)
    assert layout.classes == ("a", "b")
    assert layout.places["set-1.0/test/a/2.png"] == ("test", "a")


def test_a_class_may_be_called_train(tmp_path):
    touch(tmp_path, "bus/1.png", "train/1.png", "test/1.png")
    layout = laid_out(tmp_path)
    assert layout.classes == ("bus", "test", "train")
    assert not layout.has_test


def test_side_files_are_ignored_and_other_files_in_class_folders_are_named(tmp_path):
    touch(tmp_path, "README.txt", "labels.csv", "__MACOSX/a/._1.png", ".git/a/1.png", "a/.hidden.png", "a/Thumbs.db")
    touch(tmp_path, "a/1.png", "b/1.png", "a/.DS_Store", "b/desktop.ini", "a/notes.txt", "b/2.mp4", "stray.png")
    touch(tmp_path, "documents/paper.pdf")
    layout = laid_out(tmp_path)
    assert set(layout.places) == {"a/1.png", "b/1.png"}
    assert layout.left_out == (
        ("a/notes.txt", "not an image by its name"),
        ("b/2.mp4", "not an image by its name"),
        ("stray.png", "not in a class folder"),
    )
    assert layout.notes == (
        "the folder 'documents' is not used: it holds no images (.png .jpg .jpeg .webp .bmp .gif .tif .tiff)",
    )


def test_unlabelled_test_images_are_named_and_not_used(tmp_path):
    touch(tmp_path, "train/a/1.png", "train/b/1.png", "test/1.png", "extra/a/1.png")
    layout = laid_out(tmp_path)
    assert not layout.has_test
    assert layout.left_out == (("test/1.png", "not in a class folder"),)
    assert layout.notes == (
        "the 1 images in extra/ are not used: it is neither train nor test",
        "the test folder is not used: it holds no class folders",
    )


def test_an_empty_folder(tmp_path):
    assert "holds no images" in refusal(tmp_path).message
    touch(tmp_path, "a/1.txt")
    assert "1 other files" in refusal(tmp_path).hint


def test_images_without_class_folders(tmp_path):
    assert "no class folders" in refusal(touch(tmp_path, "1.png", "2.png")).message


def test_a_single_class(tmp_path):
    assert "single class, 'a'" in refusal(touch(tmp_path, "a/1.png", "a/2.png")).message
    assert "single class, 'b'" in refusal(touch(tmp_path / "more", "train/b/1.png")).message


def test_test_classes_that_are_unknown_in_train(tmp_path):
    touch(tmp_path, "train/a/1.png", "train/b/1.png", "test/a/1.png", "test/wolf/1.png")
    error = refusal(tmp_path)
    assert "'wolf' is a class of the test images and not of the training images" in error.message
    assert "'a', 'b'" in error.hint


def test_a_test_folder_without_train(tmp_path):
    assert "test/ and no train/" in refusal(touch(tmp_path, "test/a/1.png", "test/b/1.png")).message


def test_more_than_a_thousand_classes():
    files = [f"{number}/1.png" for number in range(1001)]
    with pytest.raises(UserError, match=r"1,001 classes: expected at most 1,000"):
        arrange(files, location="many")
    assert len(arrange(files[:1000], location="many").classes) == 1000


def test_places_that_the_source_gives_are_taken_as_they_are():
    places = {"x": ("train", "T-shirt/top"), "y": ("train", ".hidden"), "z": ("test", "T-shirt/top")}
    layout = arrange_placed(places, location="given")
    assert layout.places == places
    assert layout.classes == (".hidden", "T-shirt/top")
    assert layout.has_test
    assert not arrange_placed({"x": ("train", "a"), "y": ("train", "b")}, location="given").has_test


@pytest.mark.parametrize(
    ("places", "message"),
    [
        ({}, "no training images"),
        ({"x": ("test", "a")}, "no training images"),
        ({"x": ("train", "a")}, "a single class, 'a'"),
        ({"x": ("train", "a"), "y": ("train", "b"), "z": ("test", "wolf")}, "'wolf' is a class of the test images"),
        ({str(number): ("train", str(number)) for number in range(1001)}, "1,001 classes"),
    ],
)
def test_places_that_are_no_data_set(places, message):
    with pytest.raises(UserError, match=message):
        arrange_placed(places, location="given")
