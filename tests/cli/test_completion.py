"""What `trialwise completion` prints, loaded by the shells themselves."""

import shutil
import subprocess

import pytest

from trialwise.cli.app import run

ASKED = {  # what a person has typed when they press Tab, and what the shell answers
    "trialwise image tr": "train",
    "trialwise image train --max": "--max-params",
    "trialwise doc": "doctor",
    "trialwise completion z": "zsh",
}

BASH = """
source "$1"
complete -p trialwise > /dev/null
COMP_WORDS=($2) COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_trialwise
echo "${COMPREPLY[@]}"
"""

# compinit must take the file for what completes trialwise, and the function in it must load and be called.
ZSH = """
mkdir functions && cp "$1" functions/_trialwise
fpath=($PWD/functions $fpath)
autoload -Uz compinit && compinit -u -d dump
[[ ${_comps[trialwise]} == _trialwise ]] && autoload +X _trialwise && print loaded
"""

FISH = 'source $argv[1]; complete -C "$argv[2]"'


@pytest.fixture
def answer(tmp_path, capsys):
    """A function that starts a shell without anybody's settings, which loads the completion and says what comes."""

    def ask(shell: str, program: list[str], script: str, *given: str) -> str:
        if shutil.which(shell) is None:
            pytest.skip(f"{shell} is not installed; on Debian: apt-get install {shell}")
        assert run(["completion", shell]) == 0
        file = tmp_path / f"completion.{shell}"
        file.write_text(capsys.readouterr().out)
        command = [*program, "-c", script, *([] if shell == "fish" else [shell]), str(file), *given]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    return ask


@pytest.mark.parametrize(("typed", "found"), ASKED.items())
def test_bash_completes(answer, typed, found):
    assert answer("bash", ["bash", "--noprofile", "--norc"], BASH, typed).split() == [found]


def test_zsh_loads_the_completion(answer):
    assert answer("zsh", ["zsh", "-f"], ZSH) == "loaded\n"


@pytest.mark.parametrize(("typed", "found"), ASKED.items())
def test_fish_completes(answer, typed, found):
    lines = answer("fish", ["fish", "--no-config"], FISH, typed).splitlines()
    assert [line.split("\t")[0] for line in lines] == [found]
