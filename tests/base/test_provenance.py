"""What is recorded of the code that a result came from."""

import shutil
import subprocess

import pytest

from trialwise.base.provenance import commit_of, commits, machine

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def git(folder, *arguments):
    who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run(["git", *who, "-C", folder, *arguments], check=True, capture_output=True)


def test_a_commit_is_known_and_changes_since_are_told(tmp_path, monkeypatch):
    assert commit_of(tmp_path / "nowhere") is None
    git(tmp_path, "init")
    assert commit_of(tmp_path) is None  # there is none yet
    (tmp_path / "code.py").write_text("1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "one")
    commit = commit_of(tmp_path)
    assert len(commit) == 12
    inside = tmp_path / "deep" / "er"
    inside.mkdir(parents=True)
    monkeypatch.chdir(inside)
    assert commits()["the current folder"] == commit
    (tmp_path / "code.py").write_text("2\n")
    assert commit_of(tmp_path) == f"{commit}-dirty"
    monkeypatch.setenv("PATH", "")
    assert commit_of(tmp_path) is None


def test_the_machine_has_a_name():
    assert machine()["processor"]
    assert machine()["cores"] >= 1
