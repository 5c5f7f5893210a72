"""What is made from code and results is current, and says what they say."""

import re

import pytest

import api_page
import figures_table
import make_reference
from figures_table import Row
from trialwise import api

PAGES = make_reference.pages()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_that_is_made_is_current(path):
    assert path.read_text() == PAGES[path], "run: .venv/bin/python docs/reference/make_reference.py"


def test_everything_public_is_on_the_page_with_a_sentence():
    page = api_page.page()
    for name in api.__all__:
        entry = page.split(f"## api.{name}\n")[1].split("\n## ")[0]
        assert re.search(r"^[A-Z`].{15}", entry.split("```")[-1], flags=re.MULTILINE), name
    assert "## trialwise.Float\n\n```python\nclass Float(\n    *,\n    low: float," in page
    assert "### Trial.remaining_epochs\n\n```python\nremaining_epochs() -> range\n```" in page


def test_a_signature_is_written_as_in_the_code():
    source = (
        "def f(a, /, b: int=1, *c, d: str | None=None, **e) -> int: ...\nclass K:\n    def __init__(self, x=2): ..."
    )
    function, class_ = api_page.ast.parse(source).body
    assert api_page.signature(function) == "f(a, /, b: int = 1, *c, d: str | None = None, **e) -> int"
    assert api_page.signature(class_) == "class K(x=2)"


def row(**given):
    return Row(group="", claim="", result="", value=(), shown="{:.1f}", **given)


@pytest.mark.parametrize(
    ("given", "numbers", "found"),
    [
        ({"at_least": 88.0}, [87.0, 88.0, 99.0], "met"),
        ({"at_least": 88.0}, [87.0, 87.9, 99.0], "missed"),
        ({"at_least": 88.0, "statistic": "min"}, [87.0, 88.0, 99.0], "missed"),
        ({"at_most": 1.0, "statistic": "max"}, [0.5, 1.1], "missed"),
        ({"at_least": 90, "at_most": 97}, [98.0], "missed"),
        ({"at_least": 90, "judged": False}, [98.0], "not judged"),
        ({"at_least": 90}, [], "not measured"),
        ({"at_least": 90, "told": "missed"}, [], "missed"),
        ({}, [1.0], ""),
    ],
)
def test_a_goal_is_met_or_missed(given, numbers, found):
    assert figures_table.verdict(row(**given), numbers) == found


def test_a_miss_stands_in_the_readme_as_a_miss():
    for shown in figures_table.rows():
        for one in figures_table.measured(shown):
            if shown.headline and figures_table.verdict(shown, one.numbers) == "missed":
                value = shown.shown.format(figures_table.value_of(shown, one.numbers))
                assert f"**{value}, missed**" in PAGES[figures_table.ROOT / "README.md"]


def test_every_result_is_on_the_page_of_figures():
    page = figures_table.page()
    assert len(list(figures_table.RESULTS.glob("*.json"))) > 20
    for path in figures_table.RESULTS.glob("*.json"):
        assert f"benchmarks/results/{path.name}" in page
