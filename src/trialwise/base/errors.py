"""What went wrong, in one message a person can act on."""

from typing import Any


class TrialwiseError(Exception):
    """A failure with a message for people; the command line prints it and exits with `exit_code`.

    Attributes:
        message: What was expected and what was got, naming the file and line where there is one.
        hint: What to do about it; empty where there is nothing useful to say.
        exit_code: 1 where the work failed, 2 where the input or the usage was bad.
    """

    exit_code = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message


class UserError(TrialwiseError):
    """Bad input or usage: a file, an option or a value that cannot be used (exit code 2)."""

    exit_code = 2


class WorkError(TrialwiseError):
    """The input was fine and the work failed all the same (exit code 1)."""


class Interrupted(KeyboardInterrupt):
    """Ctrl-C, after what exists was saved (exit code 130).

    Attributes:
        run: The run folder with what exists.
        hint: How to go on.
    """

    exit_code = 130

    def __init__(self, run: Any, *, hint: str = "") -> None:
        super().__init__(f"stopped; what exists is saved in {run.label}")
        self.run = run
        self.hint = hint
