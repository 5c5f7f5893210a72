"""The page in a real browser: it works alone, sorts, saves, is dark in the dark, and runs no script but its own."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from browser import browser, program
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from trialwise import Choice, Float, api, tune
from trialwise.base.runs import RunFolder
from trialwise.reports.parts import Records

pytestmark = pytest.mark.skipif(not program(), reason="chromium is not installed; on Debian: apt-get install chromium")

ATTACK = "<script>alert(1)</script>"
IMAGE_ATTACK = "<img src=x onerror=alert(2)>"
FORMULA = '=HYPERLINK("http://example.invalid","x")'
CELLS = "[...document.querySelectorAll('table[data-records] tbody tr')].map((row) => row.cells[{}].textContent)"
HEADS = "[...document.querySelectorAll('table[data-records] th')].map((head) => head.textContent)"
N_MANY = 5000


def objective(config, trial):
    for epoch in trial.remaining_epochs():
        if trial.number % 6 == 5:
            raise ValueError(f"</script>{IMAGE_ATTACK} -- cannot do {config['kind']!r}")
        yield config["rate"] ** 2 / epoch


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A study whose author wishes its readers ill."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("study")
        patch.setenv("TRIALWISE_CACHE_DIR", str(folder / "cache"))
        space = {"rate": Float(low=-10, high=10), "kind": Choice(choices=(ATTACK, FORMULA, "plain"))}
        search = {"trials": 24, "sampler": "random", "confirm": 0}
        run = tune(objective, space, epochs=3, search=search, out=folder / ATTACK.replace("/", "_"))
    run.result["objective"] = ATTACK
    run.save()
    api.report([run])
    return run


@pytest.fixture(scope="module")
def large(run, tmp_path_factory):
    """The same with thousands of trials."""
    folder = tmp_path_factory.mktemp("large")
    trials = json.loads((run.path / "trials.json").read_text())
    generator = np.random.default_rng(0)
    made = []
    for number in range(N_MANY):
        like = trials[number % len(trials)]
        rate, shift = generator.uniform(-10, 10), generator.uniform(0, 9)
        value = None if like["value"] is None else like["value"] + shift
        scores = {epoch: score + shift for epoch, score in like["scores"].items()}
        made.append(like | {"number": number, "value": value, "scores": scores, "params": {"rate": rate}})
    (folder / "trials.json").write_text(json.dumps(made))
    (folder / "run.json").write_text((run.path / "run.json").read_text())
    return api.report([RunFolder.open(folder)])


@pytest.fixture(scope="module")
def chromium():
    with browser() as page:
        yield page


@pytest.fixture
def page(chromium, run):
    """The report, opened; no test may leave an error on it."""
    chromium.look()
    chromium.open(run.path / "report.html")
    yield chromium
    assert chromium.problems() == []


def column(page, name):
    return page.run(CELLS.format(page.run(HEADS).index(name)))


def sort_by(page, name):
    page.run(f"document.querySelectorAll('table[data-records] th button')[{page.run(HEADS).index(name)}].click()")


def sorted_by(page):
    heads = "[...document.querySelectorAll('th[aria-sort]')].map((head) => [head.textContent, head.ariaSort])"
    return page.run(heads)


def test_nothing_leaves_the_page_and_every_picture_is_there_and_told(page, run):
    assert page.requests() == [(run.path / "report.html").absolute().as_uri()]
    pictures = page.run("[...document.images].map((image) => [image.naturalWidth, image.alt])")
    assert len(pictures) >= 3
    assert all(width > 100 and len(alt) > 10 for width, alt in pictures)


def test_what_users_wrote_stays_text(page):
    assert page.run("document.querySelector('h1').textContent") == f"Tuning on {ATTACK}"
    assert page.run("document.scripts.length") == 2  # the page's own, and the trials' JSON
    assert ATTACK in column(page, "kind")
    assert any(reason.startswith("ValueError: </script>") for reason in column(page, "reason"))


def test_another_script_does_not_run_and_another_host_is_not_asked(chromium, run):
    chromium.look()
    chromium.open(run.path / "report.html")
    chromium.run(
        "const s = document.createElement('script'); s.textContent = 'window.broken = 1'; document.body.append(s)"
    )
    chromium.run("document.body.append(Object.assign(new Image(), { src: 'http://127.0.0.1:9/x.png' }))")
    chromium.run("document.body.insertAdjacentHTML('beforeend', '<b onclick=\"window.broken = 1\">b</b>')")
    chromium.run("document.querySelector('b').click()")
    assert chromium.run("window.broken === undefined")
    assert len([problem for problem in chromium.problems() if "Content Security Policy" in problem]) == 3


def test_numbers_sort_as_numbers_and_what_is_missing_comes_last_both_ways(page):
    known = [value for value in column(page, "value") if value]
    assert len(known) < 24  # some have failed
    sort_by(page, "value")
    assert sorted_by(page) == [["value", "ascending"]]
    ascending = column(page, "value")
    assert ascending == [*sorted(known, key=float), *[""] * (24 - len(known))]
    assert ascending != sorted(ascending)  # as text they would stand otherwise
    sort_by(page, "value")
    assert sorted_by(page) == [["value", "descending"]]
    assert [float(value) for value in column(page, "value") if value] == sorted(map(float, known), reverse=True)
    assert column(page, "value")[-1] == ""


def test_text_sorts_by_the_keyboard_alone(page):
    place = page.run(HEADS).index("state")
    page.run(f"document.querySelectorAll('table[data-records] th button')[{place - 1}].focus()")
    page.press("Tab")
    page.press("Enter")
    assert sorted_by(page) == [["state", "ascending"]]
    states = column(page, "state")
    assert states == sorted(states)
    assert len(set(states)) > 1


def test_the_first_stop_of_the_keyboard_skips_to_the_results(page):
    page.press("Tab")
    page.press("Enter")
    assert page.run("[location.hash, document.activeElement.id]") == ["#results", "results"]
    assert page.run("[...document.querySelectorAll('header, main, section[aria-labelledby]')].length") == 3


def test_one_state_alone(page):
    choose = "const s = document.querySelector('.tools select'); s.value = '{}'; s.onchange()"
    page.run(choose.format("failed"))
    assert set(column(page, "state")) == {"failed"}
    assert page.run("document.querySelector('output').textContent").startswith("4 rows, by trial")


def test_the_csv_is_that_of_the_run_folder_and_holds_no_formula(page, run):
    page.run("[...document.querySelectorAll('.tools button')].at(-1).click()")
    saved = list(csv.reader(io.StringIO(page.downloaded("trials.csv"))))
    kept = list(csv.reader(io.StringIO((run.path / "trials.csv").read_text())))
    assert [list(map(as_number, row)) for row in saved] == [list(map(as_number, row)) for row in kept]
    assert saved[0][:3] == ["number", "state", "value"]
    assert f"'{FORMULA}" in {row[saved[0].index("param.kind")] for row in saved}


def as_number(cell):
    try:
        return float(cell)
    except ValueError:
        return cell


VALUES = st.lists(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()), min_size=1)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(VALUES)
def test_the_script_shows_a_value_as_the_page_did(page, values):
    records = Records(caption="", columns={"x": values}, filter_by="x", file_name="x.csv")
    (plain,) = records.document()["columns"]
    shown = [cell for (cell,) in records.shown(len(values))]
    told = page.run(f"JSON.parse({json.dumps(json.dumps(plain))}).map(shown)")
    different = [(a, b) for a, b in zip(shown, told, strict=True) if a != b]
    for ours, theirs in different:  # halves may be rounded either way
        assert float(ours) == pytest.approx(float(theirs), rel=2e-4)


def brightness(png):
    return float(np.asarray(Image.open(io.BytesIO(png)).convert("L")).mean())


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_and_figures_are_light_or_dark_as_the_reader_likes(page, scheme):
    page.look(scheme=scheme)
    figure = "document.images[0].scrollIntoView(), document.images[0].getBoundingClientRect().toJSON()"
    box = page.run(figure)
    whole = page.screenshot()
    place = (box["left"] + 3, box["top"] + 3, box["right"] - 3, box["bottom"] - 3)
    picture = io.BytesIO()
    Image.open(io.BytesIO(whole)).crop(tuple(map(int, place))).save(picture, "PNG")
    for png in (whole, picture.getvalue()):
        assert (brightness(png) < 70) if scheme == "dark" else (brightness(png) > 200)


def test_on_paper_everything_is_open_and_nothing_is_a_button(page):
    page.call("Emulation.setEmulatedMedia", media="print")
    hidden = (
        "[...document.querySelectorAll('nav, .skip, .tools button')].filter((each) => each.checkVisibility()).length"
    )
    assert page.run(hidden) == 0
    page.call("Emulation.setEmulatedMedia", media="")
    page.run("document.body.insertAdjacentHTML('beforeend', '<details><summary>s</summary>t</details>')")
    assert page.pdf().startswith(b"%PDF")
    assert page.run("[...document.querySelectorAll('details')].every((each) => each.open)")


def test_without_javascript_the_trials_are_there(page, run):
    page.look(script=False)
    page.open(run.path / "report.html")
    text = page.call("DOM.getOuterHTML", nodeId=page.call("DOM.getDocument", depth=0)["root"]["nodeId"])["outerHTML"]
    assert text.count("<tr>") > 24
    assert "All of them are in trials.csv in the run folder." in text
    assert "tools" not in text.split("</style>")[1].split("<script>")[0]


def test_a_study_of_thousands_of_trials_opens_sorts_and_turns_its_pages(chromium, large):
    assert large.stat().st_size < 3_000_000
    chromium.look()
    chromium.open(large)
    assert len(column(chromium, "trial")) == 50
    assert chromium.run("document.querySelector('output').textContent") == "1 to 50 of 5,000 rows, by trial, ascending"
    chromium.run("document.querySelectorAll('.tools button')[1].click()")
    assert column(chromium, "trial")[0] == "50"
    sort_by(chromium, "value")
    known = [t["value"] for t in json.loads((large.parent / "trials.json").read_text()) if t["value"] is not None]
    assert column(chromium, "value")[0] == f"{min(known):.5g}"
    assert "as pixels" in chromium.run("document.querySelector('main').textContent")
    assert chromium.problems() == []
    assert chromium.requests() == [large.absolute().as_uri()]


def test_the_rest_of_a_long_table_is_named_where_there_is_no_javascript(large):
    assert "Without JavaScript this page holds the first 200 of 5,000 rows." in large.read_text()
    assert len((Path(large).parent / "trials.csv").read_text().splitlines()) >= N_MANY + 1
