"""The chapters on the test images, by their words and numbers."""

import numpy as np
import pytest

from trialwise.base.arrays import save_arrays
from trialwise.base.runs import RunFolder
from trialwise.images.corruptions import CORRUPTIONS, SEVERITIES
from trialwise.images.predictions import PICTURES_FILE
from trialwise.images.scores import accuracy_scores, calibration_scores
from trialwise.reports.image_sections import evaluation_chapters
from trialwise.reports.page import write_report
from trialwise.reports.verdicts import evaluation_lines

CLASSES = ("cat", "dog", "owl <b>")


def measured(*, n_duplicates=2, robustness=True):
    generator = np.random.default_rng(0)
    labels = np.arange(60) % 3
    logits = (2 * np.eye(3)[labels] + generator.normal(0, 1, (60, 3))).astype(np.float32)
    pairs = [
        {
            "test_row": 5 + i,
            "train_row": 9,
            "similarity": 1.0 if i == 0 else 0.8,
            "mirrored": i == 1,
            "exact": i == 0,
            "test_class": "cat",
            "train_class": "cat",
        }
        for i in range(n_duplicates)
    ]
    doubt = {"row": 7, "file": "cat/7.png", "self_confidence": 0.01, "given": "cat", "suggested": "dog"}
    found = accuracy_scores(logits.argmax(1), labels, CLASSES) | {
        "accuracy_tta": 0.9,
        "ci95_tta": [0.8, 0.95],
        "calibration": calibration_scores(logits, labels, 0.8),
        "near_duplicates": {
            "n": n_duplicates,
            "n_exact": min(1, n_duplicates),
            "n_mirrored": max(0, n_duplicates - 1),
            "threshold": 0.7,
            "without": {"accuracy": 0.75, "ci95": [0.6, 0.85], "n": 60 - n_duplicates},
            "pairs": pairs,
            "shown": pairs,
        },
        "label_errors": {
            "test": {"n": 1, "n_wrong": 9, "rows": [doubt]},
            "valid": {"n": 1, "n_wrong": 8, "rows": [doubt]},
        },
    }
    if robustness:
        rows = {name: {"accuracy": [0.7, 0.6, 0.5], "mean": 0.6} for name in CORRUPTIONS}
        found["robustness"] = {
            "severities": SEVERITIES,
            "corruptions": rows,
            "mean_by_severity": [0.7, 0.6, 0.5],
            "mean": 0.6,
        }
    return found


@pytest.fixture
def chapters(tmp_path):
    def make(test, *, times_opened=1, channels=3):
        run = RunFolder.create("image-train", {}, seed=0, out=tmp_path / f"run{len(list(tmp_path.iterdir()))}")
        run.record["evaluation"] = {"test": test, "times_opened": times_opened}
        pictures = np.zeros((2, 8, 8, channels), np.uint8)
        shown = len(test["near_duplicates"]["shown"]) if test.get("near_duplicates") else 0
        save_arrays(
            run.path / PICTURES_FILE,
            {
                "near_test": pictures[:shown],
                "near_train": pictures[:shown],
                "label_errors_test": pictures[:1],
                "label_errors_valid": pictures[:1],
            },
        )
        return evaluation_chapters(run)

    return make


def test_the_chapters_stand_in_the_order_in_which_they_should_be_read(chapters):
    found = chapters(measured())
    assert [chapter.heading for chapter in found] == [
        "On the test images",
        "Test images that are training images too",
        "Can its confidence be believed?",
        "Class by class",
        "What it takes for what",
        "Labels in doubt",
        "When the images get worse",
    ]
    assert [row[0] for row in found[0].tables[0].rows] == [
        "plain",
        "averaged over moved and mirrored views",
        "plain, without near-duplicates of training images",
    ]
    names = [picture.name for chapter in found for picture in chapter.pictures]
    assert names == ["near-duplicates", "reliability", "confusion", "label-errors-test", "label-errors-validation"]
    assert all(picture.alt and picture.caption for chapter in found for picture in chapter.pictures)


def test_nothing_is_said_of_test_images_that_were_not_read(tmp_path):
    run = RunFolder.create("image-train", {}, seed=0, out=tmp_path / "run")
    assert evaluation_chapters(run) == ()


def test_an_evaluation_of_an_earlier_version_is_shown_as_far_as_it_goes(chapters):
    test = measured(robustness=False)
    for name in ("calibration", "near_duplicates", "label_errors", "confused_pairs", "ci95_tta"):
        del test[name]
    found = chapters(test)
    assert [chapter.heading for chapter in found] == ["On the test images", "Class by class"]


def test_doubtful_labels_of_an_evaluation_that_did_not_name_the_files_go_by_their_rows(chapters):
    test = measured()
    row = test["label_errors"]["test"]["rows"][0]
    del row["file"]
    (table, *_) = chapters(test)[5].tables
    assert table.rows[0][0] == f"row {row['row']}"


def test_peeking_is_called_peeking(chapters):
    assert chapters(measured())[0].sentences == ()
    assert "read 3 times" in chapters(measured(), times_opened=3)[0].sentences[0]


@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_drawn_says_what_it_shows(chapters, channels):
    found = chapters(measured(), channels=channels)
    twins, reliability = found[1].pictures[0], found[2].pictures[0]
    assert ">same pixels<" in twins.svg
    assert ">mirrored<" in twins.svg
    assert "similarity goes down to 0.80" in twins.alt
    assert "15 bins" in reliability.alt
    doubts = found[5].pictures
    assert ">or dog?<" in doubts[0].svg
    assert "1 of the 9 test images and 1 of the 8 validation images" in found[5].sentences[0]


def test_without_twins_there_is_a_sentence_and_no_row(chapters):
    found = chapters(measured(n_duplicates=0))
    assert len(found[0].tables[0].rows) == 2
    assert found[1].sentences == ("No near-duplicate of a training image was found among the 60 test images.",)
    assert found[1].pictures == ()


def test_what_was_not_looked_for_is_said(chapters):
    test = measured()
    test["near_duplicates"]["threshold"] = None
    assert "near copies were not looked for" in chapters(test)[1].sentences[0]


def test_labels_without_doubt(chapters):
    test = measured()
    for found in test["label_errors"].values():
        found |= {"n": 0, "rows": []}
    (chapter,) = [chapter for chapter in chapters(test) if chapter.heading == "Labels in doubt"]
    assert chapter.sentences == ("No label of a test or validation image is in doubt.",)
    assert chapter.pictures == ()


def test_a_thousand_classes_have_a_table_and_no_matrix(chapters):
    test = measured() | accuracy_scores(np.arange(2000) % 1000, np.arange(2000) % 1000, [str(k) for k in range(1000)])
    (chapter,) = [chapter for chapter in chapters(test) if chapter.heading == "Class by class"]
    assert chapter.pictures == ()
    assert len(chapter.tables[0].rows) == 1000
    assert "1,000 classes" in chapter.sentences[0]


def test_names_of_classes_are_escaped_on_the_page(tmp_path):
    settings = {"data": "x", "train": {"network": {"family": "residual"}}}
    run = RunFolder.create("image-train", settings, seed=0, out=tmp_path / "run")
    data = {"name": "x", "classes": CLASSES, "width": 8, "height": 8, "channels": 3, "n_train": 9, "n_test": 60}
    run.finish(
        {
            "verdict": "",
            "data": data | {"test_origin": "given", "left_out": [], "n_left_out": 0, "notes": []},
            "n_params": 1,
            "epochs": 1,
            "seconds": {"train": 1.0},
            "device": "cpu",
            "threads": 1,
            "number_format": "float32",
            "valid": {"accuracy": 0.5, "n": 2, "ci95": [0, 1]},
        }
    )
    run.record["evaluation"] = {"test": measured(), "times_opened": 1, "data": data}
    write_report([run], tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert ">On the test images</h3>" in page
    assert "owl &lt;b&gt;" in page
    assert "owl <b>" not in page
    assert sorted(path.name for path in (run.path / "figures").iterdir()) == ["confusion.svg", "reliability.svg"]


def test_the_lines_for_the_terminal_come_in_the_same_order():
    starts = [line.split(":")[0] for line in evaluation_lines(measured())]
    assert starts == ["near-duplicates", "calibration", "most confused", "labels in doubt", "corrupted images"]
    quiet = measured(n_duplicates=0, robustness=False)
    quiet |= {"confused_pairs": [], "label_errors": {"test": {"n": 0, "n_wrong": 0, "rows": []}}}
    assert [line.split(":")[0] for line in evaluation_lines(quiet)] == ["calibration"]
