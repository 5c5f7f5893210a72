"""Several runs in one picture."""

from collections.abc import Sequence

from trialwise.reports.drawing import BLUE, Picture, as_text, new_figure, to_svg
from trialwise.reports.results import Found

MOST_DRAWN = 40
N_LETTERS = 40


def beside(names: Sequence[str], found: Sequence[Found]) -> Picture | None:
    """Each run's number with its 95 % interval, the first on top; None where fewer than two have one of one kind."""
    drawn = [(name, each) for name, each in zip(names, found, strict=True) if each.value is not None][:MOST_DRAWN][::-1]
    measures = {each.measure for _, each in drawn}
    if len(drawn) < 2 or len(measures) > 1:
        return None
    figure, axes = new_figure(6.4, 1.0 + 0.32 * len(drawn))
    has_intervals = False
    for place, (_, each) in enumerate(drawn):
        assert each.value is not None
        if each.interval:
            has_intervals = True
            axes.plot(each.interval, [place, place], color=BLUE, linewidth=2)
        axes.plot([each.value], [place], "o", color=BLUE)
    axes.set_yticks(range(len(drawn)), [as_text(name[-N_LETTERS:]) for name, _ in drawn])
    (measure,) = measures
    axes.set(xlabel=f"{measure} ({'more' if drawn[0][1].is_more_better else 'less'} is better)")
    axes.set_ylim(-0.6, len(drawn) - 0.4)
    told = ", ".join(f"{name} {each.written(each.value)}" for name, each in drawn[::-1] if each.value is not None)
    return Picture(
        name="side-by-side",
        caption=f"The {measure} of each run" + (" (lines: 95 % interval)." if has_intervals else "."),
        alt=f"The {measure} of each run: {told}.",
        svg=to_svg(figure),
    )
