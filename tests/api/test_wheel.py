"""What people install: a wheel with all that the commands need, and no tests."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of the files that git knows, built without a network in a copy, so that nothing is left here."""
    folder = tmp_path_factory.mktemp("wheel")
    given = [
        "git",
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        "src",
        "pyproject.toml",
        "README.md",
        "LICENSE",
    ]
    listed = subprocess.run(given, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    for name in filter(None, listed):
        if (ROOT / name).is_file():
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "source" / name).write_bytes((ROOT / name).read_bytes())
    built = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet", "-w", str(folder)]
    subprocess.run([*built, str(folder / "source")], check=True, capture_output=True)
    (path,) = folder.glob("*.whl")
    return path


def test_a_wheel_holds_every_file_of_the_package_and_no_other(wheel):
    with zipfile.ZipFile(wheel) as opened:
        inside = {name for name in opened.namelist() if ".dist-info/" not in name}
        about = {name.split("/", 1)[1] for name in opened.namelist() if ".dist-info/" in name}
        metadata = opened.read(next(n for n in opened.namelist() if n.endswith(".dist-info/METADATA"))).decode()
    source = {
        str(path.relative_to(ROOT / "src"))
        for path in (ROOT / "src" / "trialwise").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert inside == source
    assert {"trialwise/py.typed", "trialwise/reports/templates/report.html", "trialwise/prices/data/AAPL.csv"} <= inside
    assert "entry_points.txt" in about
    assert any(name.endswith("LICENSE") for name in about)
    extras = {line.split(": ")[1] for line in metadata.splitlines() if line.startswith("Provides-Extra")}
    assert {"mlflow", "tensorboard", "onnx", "parquet", "dashboard", "ray", "postgres", "notebook"} <= extras


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_wheel_runs_the_demo_in_an_empty_environment(wheel, tmp_path):
    environment = tmp_path / "environment"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    pip = [environment / "bin" / "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt"]
    subprocess.run([*pip, wheel], check=True)
    done = subprocess.run(
        [environment / "bin" / "trialwise", "demo", "--out", "demo"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "demo" / "report.html").stat().st_size > 100_000
