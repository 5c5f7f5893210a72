"""Anything callable as a trial: a function with one score, or an objective of the user's that yields one an epoch."""

import contextlib
import dataclasses
import importlib
import inspect
import sys
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

from trialwise.base.errors import UserError
from trialwise.base.files import file_sha256
from trialwise.tuning.spaces import Space
from trialwise.tuning.trials import Config, Trial


@dataclasses.dataclass(frozen=True)
class FunctionObjective:
    """Calls `function` with the configuration by name and yields what it returns, as the only score."""

    function: Callable[..., Any]

    def __call__(self, config: Config, trial: Trial) -> Iterator[float]:
        """The one score of this configuration."""
        for _ in trial.remaining_epochs():
            with contextlib.redirect_stdout(sys.stderr):  # what a function prints must not end up among the data
                value = self.function(**config)
            yield float(value)


@dataclasses.dataclass(frozen=True)
class OwnObjective:
    """An objective of the user's: called with the configuration and the trial, it yields one score an epoch.

    Attributes:
        reference: "module:function"; every process of a study imports it anew.
        folder: Where the module is looked for besides the usual places.
        function: The function itself, where it cannot be imported: defined in a notebook. It stays in this process.
    """

    reference: str
    folder: Path
    function: Callable[..., Any] | None = None

    def __call__(self, config: Config, trial: Trial) -> Iterator[float]:
        """The scores as they come; one number where the function returns a number."""
        if trial.folder is not None:
            trial.folder.mkdir(parents=True, exist_ok=True)
        with contextlib.redirect_stdout(sys.stderr):  # what it prints must not end up among the data
            function = self.function or load_callable(self.reference, self.folder)
            found = function(dict(config), trial)
        if not isinstance(found, Iterator):
            yield float(found)
            return
        with contextlib.closing(_quiet(found)) as scores:
            yield from scores


def _quiet(scores: Iterator[Any]) -> Generator[float]:
    """The scores, what is printed between them sent to stderr; closing it closes the generator behind it."""
    try:
        while True:
            with contextlib.redirect_stdout(sys.stderr):
                try:
                    score = next(scores)
                except StopIteration:
                    return
            yield float(score)
    finally:
        if isinstance(scores, Generator):
            scores.close()


def check_objective(function: Callable[..., Any], reference: str) -> None:
    """Refuse an objective that cannot be called with a configuration and a trial.

    Raises:
        UserError: With the two lines that it should begin with.
    """
    hint = "def objective(config, trial): ... for epoch in trial.remaining_epochs(): ... yield score"
    _check_call(function, reference, ({}, None), {}, named="a configuration and a trial", hint=hint)


def _check_call(
    function: Callable[..., Any], reference: str, in_order: tuple, by_name: dict[str, Any], *, named: str, hint: str
) -> None:
    """Refuse a function that does not take these arguments."""
    try:
        inspect.signature(function).bind(*in_order, **by_name)
    except TypeError as error:
        raise UserError(f"{reference} cannot be called with {named}: {error}", hint=hint) from None
    except ValueError:  # a builtin without a signature: the first call will tell
        pass


def load_function(reference: str, space: Space, folder: Path) -> Callable[..., Any]:
    """The callable that `module:function` names, which takes the space's names.

    Raises:
        UserError: As `load_callable`, or it does not take them.
    """
    function = load_callable(reference, folder)
    hint = "the space's names are its arguments"
    _check_call(function, reference, (), dict.fromkeys(space), named=", ".join(space), hint=hint)
    always = [name for name, parameter in space.items() if not parameter.when]
    hint = "a parameter with when is left out where its condition does not hold: give its argument a default"
    _check_call(function, reference, (), dict.fromkeys(always), named=f"{', '.join(always)} alone", hint=hint)
    return function


def load_callable(reference: str, folder: Path) -> Callable[..., Any]:
    """The callable that `module:function` names, looked for in `folder` too.

    Raises:
        UserError: There is no such module or function, or it cannot be called.
    """
    module_name, _, function_name = reference.partition(":")
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    try:
        with contextlib.redirect_stdout(sys.stderr):
            module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not module_name.startswith(error.name):
            raise UserError(f"{module_name} cannot be imported: {error}") from error
        raise UserError(
            f"no module named {module_name!r}", hint=f"is {module_name.replace('.', '/')}.py in {folder}?"
        ) from None
    except (Exception, SystemExit) as error:
        raise UserError(f"{module_name} cannot be imported: {type(error).__name__}: {error}") from error
    function = getattr(module, function_name, None)
    if not callable(function):
        public = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
        raise UserError(
            f"{module_name} has no function {function_name!r}", hint=f"it has: {', '.join(public) or 'none'}"
        )
    return function


def code_of(reference: str, folder: Path) -> dict[str, str] | None:
    """The file of "module:function" and its "sha256"; None where it cannot be imported or has no file."""
    if ":" not in reference:
        return None
    load_callable(reference, folder)
    file = getattr(sys.modules.get(reference.partition(":")[0]), "__file__", None)
    return {"file": str(file), "sha256": file_sha256(Path(file))} if file is not None else None


def changed_code(known: Mapping[str, str] | None, reference: str, folder: Path) -> str | None:
    """A sentence where the file of "module:function" is not what it was when `code_of` gave `known`."""
    now = code_of(reference, folder) if known else None
    if now is None or known is None or now["sha256"] == known["sha256"]:
        return None
    return f"{now['file']} has changed since this study began: its earlier trials may be no measure for the next ones"
