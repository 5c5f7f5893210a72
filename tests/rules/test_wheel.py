"""A wheel holds all that the package needs: code, data, templates, the mark that it is typed, and the command."""

import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILD = "import sys; from setuptools import build_meta; print(build_meta.build_wheel(sys.argv[1]))"


@pytest.fixture(scope="module")
def wheel_file(tmp_path_factory):
    """Built from a copy, so that nothing is left in the checkout."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    shutil.copytree(ROOT / "src", copy / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    command = [sys.executable, "-c", BUILD, str(copy)]
    done = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return next(copy.glob("*.whl"))


@pytest.fixture(scope="module")
def wheel(wheel_file):
    with zipfile.ZipFile(wheel_file) as archive:
        yield archive


def test_every_file_of_the_package_is_in_it(wheel):
    package = ROOT / "src" / "trialwise"
    files = {path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    names = set(wheel.namelist())
    assert "trialwise/py.typed" in names
    assert {path.relative_to(ROOT / "src").as_posix() for path in files} == {n for n in names if ".dist-info" not in n}


def test_it_says_what_it_is(wheel):
    (place,) = {name.split("/")[0] for name in wheel.namelist() if ".dist-info/" in name}
    assert "trialwise = trialwise.__main__:main" in wheel.read(f"{place}/entry_points.txt").decode()
    metadata = Parser().parsestr(wheel.read(f"{place}/METADATA").decode())
    assert metadata["License-Expression"] == "MIT"
    assert {"ray", "postgres", "onnx"} <= set(metadata.get_all("Provides-Extra"))
    assert metadata.get_payload().startswith("# trialwise")


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_demo_runs_in_an_empty_environment(wheel_file, tmp_path):
    """Installs all that trialwise needs from the package index, without its extras."""
    subprocess.run([sys.executable, "-m", "venv", "environment"], check=True)
    programs = tmp_path / "environment" / "bin"
    pip = [programs / "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt"]
    subprocess.run([*pip, wheel_file], check=True)
    command = [programs / "trialwise", "demo", "--out", "demo"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "demo" / "report.html").stat().st_size > 100_000
