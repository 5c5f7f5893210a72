"""What a page says of a classifier on its test images: the plain number first, then all that qualifies it."""

from collections.abc import Mapping, Sequence
from typing import Any

from trialwise.base.arrays import load_arrays
from trialwise.base.runs import RunFolder
from trialwise.images.predictions import PICTURES_FILE
from trialwise.reports import figures, image_figures
from trialwise.reports.parts import Chapter, Table
from trialwise.reports.verdicts import percent

N_LABEL_ERRORS = 20
UNEVEN = 0.001  # by which plain and balanced accuracy differ where the classes are uneven
SPLITS = {"test": "test", "valid": "validation"}


def evaluation_chapters(run: RunFolder) -> tuple[Chapter, ...]:
    """The chapters on the test images, in the order in which they should be read; none where these were not read."""
    evaluation = run.record.get("evaluation")
    if not evaluation:
        return ()
    test = evaluation["test"]
    pictures = load_arrays(run.path / PICTURES_FILE)
    chapters = [
        _accuracy(test, evaluation["times_opened"], evaluation.get("default")),
        _near_duplicates(test, pictures),
        _calibration(test),
        _classes(test),
        _mistakes(test),
        _label_errors(test, pictures),
        _robustness(test),
    ]
    return tuple(chapter for chapter in chapters if chapter is not None)


def _accuracy(test: Mapping[str, Any], times_opened: int, default: Mapping[str, Any] | None) -> Chapter:
    rows: list[tuple[str, Mapping[str, Any]]] = [("plain", test)]
    if default:
        rows.append(("plain, the untuned default", default))
    if "accuracy_tta" in test:
        averaged = {"accuracy": test["accuracy_tta"], "ci95": test.get("ci95_tta"), "n": test["n"]}
        rows.append(("averaged over moved and mirrored views", averaged))
    duplicates = test.get("near_duplicates")
    if duplicates and duplicates["n"]:
        rows.append(("plain, without near-duplicates of training images", duplicates["without"]))
    mean_of_classes = test.get("balanced_accuracy", test["accuracy"])
    if abs(mean_of_classes - test["accuracy"]) > UNEVEN:
        balanced = {"accuracy": mean_of_classes, "ci95": None, "n": test["n"]}
        largest = {"accuracy": test["largest_class_share"], "ci95": None, "n": test["n"]}
        rows += [("plain, mean over the classes", balanced), ("always naming the most frequent class", largest)]
    peeking = f"The test images were read {times_opened} times for this run: choosing by such numbers would be peeking."
    head = ("how", "images", "right", "95 % interval")
    table = Table(caption="Accuracy on the test images", head=head, rows=tuple(_row(*row) for row in rows))
    return Chapter(heading="On the test images", sentences=(peeking,) if times_opened > 1 else (), tables=(table,))


def _near_duplicates(test: Mapping[str, Any], pictures: Mapping[str, Any]) -> Chapter | None:
    found = test.get("near_duplicates")
    if not found:
        return None
    drawn = ()
    if found["shown"] and len(pictures.get("near_test", ())) == len(found["shown"]):
        drawn = (image_figures.near_duplicates(pictures["near_test"], pictures["near_train"], found["shown"]),)
    return Chapter(
        heading="Test images that are training images too",
        sentences=(_duplicates_sentence(found, test["n"]),),
        pictures=drawn,
    )


def _duplicates_sentence(duplicates: Mapping[str, Any], n_test: int) -> str:
    """How many test images are training images too, and how that was found out."""
    n, n_exact = duplicates["n"], duplicates["n_exact"]
    if duplicates["threshold"] is None:
        return (
            f"{n_exact:,} of {n_test:,} test images are exact copies of training images; near copies were not looked "
            "for, there are too many images."
        )
    if n == 0:
        return f"No near-duplicate of a training image was found among the {n_test:,} test images."
    return (
        f"{n:,} of {n_test:,} test images are near-duplicates of training images ({n_exact:,} of them the very same "
        f"pixels, {duplicates['n_mirrored']:,} mirrored): what was learnt by heart is no skill."
    )


def _calibration(test: Mapping[str, Any]) -> Chapter | None:
    found = test.get("calibration")
    if not found:
        return None
    rows = tuple(
        (words, f"{100 * scores['ece']:.1f} points", f"{scores['nll']:.3f}", f"{scores['brier']:.3f}")
        for words, scores in (
            ("as trained", found["before"]),
            (f"with temperature {found['temperature']:.2f}", found["after"]),
        )
    )
    head = ("probabilities", "calibration error", "negative log-likelihood", "Brier score")
    return Chapter(
        heading="Can its confidence be believed?",
        sentences=("The temperature was fitted on validation images; it changes no prediction. Less is better.",),
        tables=(Table(caption="Calibration on the test images", head=head, rows=rows),),
        pictures=(image_figures.reliability(found),),
    )


def _classes(test: Mapping[str, Any]) -> Chapter:
    head = ("class", "test images", "right", "95 % interval")
    rows = tuple(_row(name, found) for name, found in test["per_class"].items())
    drawn = (figures.confusion(test["confusion"], test["classes"]),) if test["confusion"] else ()
    sentences = () if drawn else (f"With {len(test['classes']):,} classes a confusion matrix would be unreadable.",)
    table = Table(caption="Test accuracy by class", head=head, rows=rows)
    return Chapter(heading="Class by class", sentences=sentences, tables=(table,), pictures=drawn)


def _mistakes(test: Mapping[str, Any]) -> Chapter | None:
    pairs = test.get("confused_pairs")
    if not pairs:
        return None
    rows = tuple((pair["true"], pair["predicted"], f"{pair['n']:,}", percent(pair["share"])) for pair in pairs)
    head = ("is", "taken for", "test images", "of its class")
    return Chapter(
        heading="What it takes for what",
        tables=(Table(caption="The most frequent mistakes", head=head, rows=rows),),
    )


def _label_errors(test: Mapping[str, Any], pictures: Mapping[str, Any]) -> Chapter | None:
    found = test.get("label_errors")
    if not found:
        return None
    drawn, tables = [], []
    for name, split in SPLITS.items():
        listed = found.get(name, {}).get("rows")
        if not listed:
            continue
        tables.append(_label_errors_table(listed, split))
        images = pictures.get(f"label_errors_{name}", ())
        if len(images):
            drawn.append(image_figures.label_errors(images, listed, split=split))
    return Chapter(
        heading="Labels in doubt",
        sentences=(_label_errors_sentence(found),),
        tables=tuple(tables),
        pictures=tuple(drawn),
    )


def _label_errors_table(listed: Sequence[Mapping[str, Any]], split: str) -> Table:
    shown = listed[:N_LABEL_ERRORS]
    more = "; evaluation.json has more" if len(listed) > len(shown) else ""
    named = (row.get("file", f"row {row['row']}") for row in shown)  # earlier versions did not name the files
    return Table(
        caption=f"The likeliest label errors among the {split} images{more}",
        head=("file", "given", "suggested", "probability of the given class"),
        rows=tuple(
            (name, row["given"], row["suggested"], percent(row["self_confidence"]))
            for name, row in zip(named, shown, strict=True)
        ),
    )


def _label_errors_sentence(found: Mapping[str, Any]) -> str:
    """How many labels are in doubt, and what that does not mean."""
    looked_at = [(split, found[name]["n"], found[name]["n_wrong"]) for name, split in SPLITS.items() if name in found]
    if not any(n for _, n, _ in looked_at):
        return f"No label of a {' or '.join(split for split, _, _ in looked_at)} image is in doubt."
    counts = " and ".join(f"{n:,} of the {n_wrong:,} {split} images" for split, n, n_wrong in looked_at)
    return (
        f"Of the images that the model gets wrong, it confidently contradicts the label of {counts}. Some of these "
        "labels are wrong, in the others the model is, a weak model in most: a list to look through, the likeliest "
        "first. No accuracy is corrected by it."
    )


def _robustness(test: Mapping[str, Any]) -> Chapter | None:
    found = test.get("robustness")
    if not found:
        return None
    head = ("corruption", *(f"severity {severity}" for severity in found["severities"]), "mean")
    rows = [
        (name, *(percent(accuracy) for accuracy in row["accuracy"]), percent(row["mean"]))
        for name, row in found["corruptions"].items()
    ]
    rows.append(("all", *(percent(mean) for mean in found["mean_by_severity"]), percent(found["mean"])))
    return Chapter(
        heading="When the images get worse",
        sentences=(
            f"Plain accuracy is {percent(test['accuracy'])} on the images as they are and {percent(found['mean'])} "
            "over all corruptions. Every model is given the same corrupted images.",
        ),
        tables=(Table(caption="Accuracy on corrupted test images", head=head, rows=tuple(rows)),),
    )


def _row(name: str, found: Mapping[str, Any]) -> tuple[str, ...]:
    if found["accuracy"] is None:
        return (name, f"{found['n']:,}", "", "")
    return (name, f"{found['n']:,}", percent(found["accuracy"]), _interval(found["ci95"]))


def _interval(interval: Sequence[float] | None) -> str:
    return f"{percent(interval[0])} to {percent(interval[1])}" if interval else ""
