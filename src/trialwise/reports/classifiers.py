"""Classifiers side by side: row for row on the same images, and convolutions beside a feed-forward net."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trialwise.base.runs import RunFolder
from trialwise.images.predictions import load_test, load_valid, matching_rows
from trialwise.reports.parts import Chapter, Table
from trialwise.reports.results import Found
from trialwise.reports.verdicts import comparison_sentence, percent
from trialwise.statistics.comparisons import PairedAccuracies, compare_accuracies

FEED_FORWARD = "feed_forward"


def classifier_chapters(runs: Sequence[RunFolder], names: Sequence[str], found: Sequence[Found]) -> tuple[Chapter, ...]:
    """What is to be said of classifiers together."""
    return (*_row_for_row(runs, names), *_without_convolutions(runs, names, found))


def paired(first: RunFolder, second: RunFolder) -> tuple[str, PairedAccuracies] | None:
    """The two on the same images, "test" where both were measured on them, else "validation".

    None where they have no images in common.
    """
    tests = [load_test(run.path) if run.record.get("evaluation") else None for run in (first, second)]
    if tests[0] is not None and tests[1] is not None:
        order_N = matching_rows(tests[0], tests[1])
        if order_N is not None:
            labels_N = tests[0].labels_N
            right_N = tests[0].plain_N == labels_N
            return "test", compare_accuracies(right_N, tests[1].plain_N[order_N] == labels_N)
    if first.settings.get("content_sha256") != second.settings.get("content_sha256"):
        return None
    valid = [_right_on_valid(run) for run in (first, second)]
    if valid[0] is None or valid[1] is None or not np.array_equal(valid[0][0], valid[1][0]):
        return None
    return "validation", compare_accuracies(valid[0][1], valid[1][1])


def _right_on_valid(run: RunFolder) -> tuple[NDArray[np.int64], NDArray[np.bool_]] | None:
    """The validation rows in order, and which of them are right."""
    found = load_valid(run.path)
    if found is None:
        return None
    order_N = np.argsort(found.rows_N)
    return found.rows_N[order_N], (found.logits_NK.argmax(axis=1) == found.labels_N)[order_N]


def _row_for_row(runs: Sequence[RunFolder], names: Sequence[str]) -> tuple[Chapter, ...]:
    found = [(name, pair) for run, name in zip(runs[1:], names[1:], strict=True) if (pair := paired(runs[0], run))]
    if not found:
        return ()
    rows = tuple(
        (
            name,
            images,
            f"{pair.n:,}",
            f"{100 * pair.difference:+.2f}",
            "{:+.2f} to {:+.2f}".format(*(100 * end for end in pair.interval)),
            f"{min(1.0, pair.p_value * len(found)):.3g}",
        )
        for name, (images, pair) in found
    )
    times = f", times the {len(found)} comparisons" if len(found) > 1 else ""
    head = ("run", "images", "how many", "points better", "95 % interval", f"p (McNemar{times})")
    sentences = []
    if len(found) == 1:
        name, (images, pair) = found[0]
        sentences.append(comparison_sentence(names[0], name, dataclasses.asdict(pair), images=images))
    return (
        Chapter(
            heading="Row for row on the same images",
            sentences=tuple(sentences),
            tables=(Table(caption=f"Beside {names[0]}", head=head, rows=rows),),
        ),
    )


def _without_convolutions(
    runs: Sequence[RunFolder], names: Sequence[str], found: Sequence[Found]
) -> tuple[Chapter, ...]:
    """What convolutions are worth, where networks with and without them are given."""
    rows = zip(runs, names, found, strict=True)
    measured = [(run, name, row) for run, name, row in rows if row.value is not None and row.n_params]
    without = [one for one in measured if _family(one[0]) == FEED_FORWARD]
    having = [one for one in measured if _family(one[0]) != FEED_FORWARD]
    sentences = []
    for net, net_name, net_row in without:
        for cnn, cnn_name, cnn_row in having:
            many, few = net_row.n_params, cnn_row.n_params
            if net_row.measure != cnn_row.measure or many is None or few is None:
                continue
            times = f"{many / few:.1f} times as many as" if many >= few else f"{few / many:.1f} times fewer than"
            pair = paired(net, cnn)
            told = f" Row for row: {_words(pair)}" if pair else ""
            sentences.append(
                f"{net_name}, a feed-forward net of {many:,} parameters, {times} {cnn_name} ({few:,}): "
                f"{percent(net_row.value or 0)} and {percent(cnn_row.value or 0)} {net_row.measure}.{told}"
            )
    return (Chapter(heading="With and without convolutions", sentences=tuple(sentences)),) if sentences else ()


def _words(pair: tuple[str, PairedAccuracies]) -> str:
    images, found = pair
    low, high = (100 * end for end in found.interval)
    return (
        f"{100 * found.difference:+.1f} points for convolutions (95 % interval {low:+.1f} to {high:+.1f}, McNemar p = "
        f"{found.p_value:.2g}) on {found.n:,} {images} images."
    )


def _family(run: RunFolder) -> str:
    return run.settings["train"]["network"]["family"]
