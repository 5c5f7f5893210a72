"""The manual is true: every command in it is run or read by the real command line, every block is code that works.

What is put in the place of the reader's own data, how small budgets are and what is not run, and why: `manual.toml`.
"""

import ast
import dataclasses
import importlib
import itertools
import re
import shlex
import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest
from cyclopts import CycloptsError, MissingArgumentError
from PIL import Image

from trialwise import api
from trialwise.cli.app import app, run
from trialwise.prices.reader import embedded_prices
from trialwise.tuning.spaces import read_space
from trialwise.tuning.workers import InlinePool

ROOT = Path(__file__).parents[2]
TABLE = tomllib.loads(Path(__file__).with_name("manual.toml").read_text())
MADE = {"commands.md", "api.md", "figures.md"}  # by docs/reference/make_reference.py
DOCUMENTS = [ROOT / "README.md", *sorted(path for path in (ROOT / "docs").rglob("*.md") if path.name not in MADE)]
OWN_FUNCTION = ROOT / "docs" / "guides" / "own-function.md"

# Beside `loss` of own-function.md in mymodule.py: the generator that other pages tune.
OWN_OBJECTIVE = """

def objective(config, trial):
    for epoch in trial.remaining_epochs():
        trial.notes["recall"] = config["rate"]
        yield (config["x"] - 1) ** 2 + 1 / epoch
"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block: its language, its text, and the line where the text begins."""

    language: str
    text: str
    line: int


def blocks_of(document: Path) -> list[Block]:
    text = document.read_text()
    found = re.finditer(r"^```(\w+)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    return [Block(language=m[1], text=m[2], line=text[: m.start()].count("\n") + 2) for m in found]


def commands_of(document: Path) -> list[tuple[str, list[str]]]:
    """(place, words) of each line of each ```bash block, continued lines joined, comments and redirections gone."""
    found = []
    for block in (block for block in blocks_of(document) if block.language == "bash"):
        for line in block.text.replace("\\\n", "  ").splitlines():
            words = shlex.split(line.split(" > ")[0], comments=True)
            while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):  # VARIABLE=value COMMAND
                words.pop(0)
            if words:
                found.append((f"{document.relative_to(ROOT)}: {line}", words))
    return found


def reason_not_to_run(place: str, words: list[str]) -> str | None:
    if words[0] != "trialwise":
        return TABLE["other_programs"][words[0]]
    return next((why for part, why in TABLE["not_run"].items() if part in f"{place} {' '.join(words)} "), None)


def made_small(words: list[str]) -> list[str]:
    """The command with a small budget."""
    name = " ".join(words[1:3]) if words[1] in ("image", "price", "study") else words[1]
    name += " --minutes" if f"{name} --minutes" in TABLE["small"] and "--minutes" in words else ""
    for option, value in TABLE["small"].get(name, {}).items():
        if f"--{option}" in words:
            words[words.index(f"--{option}") + 1] = value
        else:
            words = [*words, f"--{option}", value]
    for option, value in TABLE["smaller"].get(name, {}).items():
        if f"--{option}" in words:
            words[words.index(f"--{option}") + 1] = value
    return words


class Desk:
    """The folder where all documents' commands are run, with a small thing of every name that they use."""

    def __init__(self, folder: Path) -> None:
        self.done: set[tuple[str, ...]] = set()
        for number, (name, n) in enumerate({"pictures": 24, "other-pictures": 18, "photos": 3}.items()):
            for colour, kind in enumerate(["cats", "dogs"]):
                (folder / name / kind).mkdir(parents=True)
                for image in range(n):
                    pixels = np.random.default_rng((number, colour, image)).integers(0, 150, (12, 12, 3), np.uint8)
                    pixels[..., colour] += 60
                    Image.fromarray(pixels).save(folder / name / kind / f"{image:03}.png")
        (folder / "more").mkdir()
        Image.open(folder / "photos/cats/000.png").save(folder / "more" / "one.jpg")
        shutil.copy(folder / "photos/cats/000.png", folder / "cat.png")
        rows = ["Date,Symbol,Close"]
        for symbol in ("AAPL", "IBM", "MSFT"):
            header, *lines = Path(embedded_prices(symbol)).read_text().splitlines()
            (folder / f"{symbol}.csv").write_text("\n".join([header, *lines[-320:]]) + "\n")
            rows += [f"{line.split(',')[0]},{symbol},{line.split(',')[4]}" for line in lines[-320:]]
        (folder / "all_stocks.csv").write_text("\n".join(rows) + "\n")
        code, space = (
            next(b.text for b in blocks_of(OWN_FUNCTION) if b.language == kind) for kind in ("python", "toml")
        )
        (folder / "mymodule.py").write_text(code + OWN_OBJECTIVE)
        (folder / "space.toml").write_text(space)

    def run(self, words: list[str]) -> None:
        """Run the command, after those that make the runs it names; once only."""
        words = [TABLE["words"].get(word, word) for word in words]
        for before, word in itertools.pairwise(words):
            if word in TABLE["prepared"] and not Path(word).exists() and before != "--out":
                for line in TABLE["prepared"][word]:
                    self._run_once(shlex.split(line))
        self._run_once(words)

    def _run_once(self, words: list[str]) -> None:
        words = made_small(words)
        if tuple(words) not in self.done:
            assert run(words[1:]) == 0, shlex.join(words)
            self.done.add(tuple(words))


@pytest.fixture(scope="module")
def desk_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("desk")
    return folder, Desk(folder)


@pytest.fixture
def desk(desk_folder, monkeypatch):
    folder, desk = desk_folder
    monkeypatch.chdir(folder)
    monkeypatch.delenv("TRIALWISE_RUNS_DIR")
    monkeypatch.setenv("TRIALWISE_CACHE_DIR", str(folder / "cache"))
    # Trials run here: starting processes takes longer than these trials do, and has tests of its own.
    monkeypatch.setattr(
        "trialwise.api.local_workers.ProcessPool", lambda objective, n_workers, **gpus: InlinePool(objective)
    )
    return desk


WITH_COMMANDS = [document for document in DOCUMENTS if commands_of(document)]


def name_of(document: Path) -> str:
    return str(document.relative_to(ROOT))


@pytest.mark.parametrize("document", WITH_COMMANDS, ids=name_of)
def test_the_command_line_knows_every_command(document):
    for place, words in commands_of(document):
        if words[0] == "trialwise":
            try:
                app.parse_args(words[1:], exit_on_error=False, print_error=False)
            except CycloptsError as error:
                raise AssertionError(f"{place}\n{error}") from None
        else:
            assert words[0] in TABLE["other_programs"], f"{place}\nsay in manual.toml why no test runs {words[0]}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_the_command_line_knows_the_commands_in_sentences(document):
    for line in re.findall(r"`(trialwise [^`\n]+)`", document.read_text()):
        if "|" in line:  # a choice of commands
            continue
        try:
            app.parse_args(shlex.split(line)[1:], exit_on_error=False, print_error=False)
        except MissingArgumentError:  # the sentence is about a part of the command
            pass
        except CycloptsError as error:
            raise AssertionError(f"{line}\n{error}") from None


@pytest.mark.parametrize("document", WITH_COMMANDS, ids=name_of)
def test_every_command_runs(document, desk, capsys):
    for place, words in commands_of(document):
        if reason_not_to_run(place, words) is None:
            try:
                desk.run(words)
            except AssertionError as error:
                raise AssertionError(f"{place}\n{error}\n{capsys.readouterr().err}") from None
        capsys.readouterr()


def test_what_is_not_run_is_in_the_manual():
    commands = [command for document in DOCUMENTS for command in commands_of(document)]
    ran = [words for place, words in commands if reason_not_to_run(place, words) is None]
    assert len(ran) >= 0.6 * len(commands), "most commands are run"
    lines = [f"{place} {' '.join(words)} " for place, words in commands]
    for part in TABLE["not_run"]:
        assert part.endswith(".md:") or any(part in line for line in lines), f"{part!r} can leave manual.toml"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_blocks_of_code_are_code(document):
    for block in blocks_of(document):
        if block.language == "toml":
            tomllib.loads(block.text)
        if block.language == "python":
            for node in ast.walk(ast.parse(block.text)):
                if isinstance(node, ast.ImportFrom) and str(node.module).partition(".")[0] == "trialwise":
                    module = importlib.import_module(str(node.module))
                    assert all(hasattr(module, alias.name) for alias in node.names), f"line {block.line}"


@pytest.mark.parametrize("document", [d for d in DOCUMENTS if d.parent.name in ("guides", ROOT.name)], ids=name_of)
def test_functions_in_sentences_are_there(document):
    for name in re.findall(r"`api\.(\w+)", document.read_text()):
        assert name in api.__all__, f"api.{name}"


def test_the_space_of_the_guide_is_one(desk):
    assert set(read_space(Path("space.toml"))) == {"x", "rate", "kind"}


def test_the_python_of_own_images_runs(desk, capsys):
    desk.run(shlex.split("trialwise image export runs/image-train-... --onnx"))
    shutil.copy("runs/image-train-.../model.onnx", "model.onnx")
    arrays, onnx = (block for block in blocks_of(ROOT / "docs/guides/own-images.md") if block.language == "python")
    names = {"images_NHWC": np.zeros((5, 12, 12, 3), np.uint8)}
    exec(arrays.text, names)
    assert names["found"].probabilities_NT.shape == (5, 2)
    capsys.readouterr()
    exec(onnx.text.replace("(32, 32)", "(12, 12)"), {})  # the size of these pictures
    assert capsys.readouterr().out.strip() in ("cats", "dogs")


def test_the_python_of_scripts_runs(desk, capsys):
    (block,) = (block for block in blocks_of(ROOT / "docs/guides/scripts.md") if block.language == "python")
    exec(block.text, {})
    assert "The lowest value of quadratic in 12 trials" in capsys.readouterr().out


@pytest.mark.parametrize("document", [*DOCUMENTS, ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md"], ids=name_of)
def test_links_lead_somewhere(document):
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        if "://" not in target and not target.startswith("#"):
            assert (document.parent / target.partition("#")[0]).exists(), target


def test_every_page_is_in_the_index():
    index = (ROOT / "docs" / "index.md").read_text()
    for path in sorted((ROOT / "docs").rglob("*.md")):
        if path.parent.name != "decisions" and path.name != "index.md":
            assert f"({path.relative_to(ROOT / 'docs').as_posix()})" in index, path.name
