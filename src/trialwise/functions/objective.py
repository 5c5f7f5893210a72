"""Anything callable as a trial: one call, one score."""

import contextlib
import dataclasses
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from trialwise.base.errors import UserError
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


def load_function(reference: str, space: Space, folder: Path) -> Callable[..., Any]:
    """The callable that `module:function` names, looked for in `folder` too.

    Raises:
        UserError: There is no such module or function, it cannot be called, or it does not take the space's names.
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
    try:
        inspect.signature(function).bind(**dict.fromkeys(space))
    except TypeError as error:
        raise UserError(
            f"{reference} cannot be called with {', '.join(space)}: {error}", hint="the space's names are its arguments"
        ) from None
    except ValueError:  # a builtin without a signature: the first call will tell
        pass
    return function
