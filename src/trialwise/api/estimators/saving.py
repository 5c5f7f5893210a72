"""What both estimators share: their errors, their seeds, and the JSON file beside the model's own two. No pickle."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state

from trialwise.base.errors import UserError
from trialwise.base.files import read_json, write_json
from trialwise.base.runs import check_out, versions

FILE = "estimator.json"


class InputError(UserError, ValueError):
    """Bad input to an estimator: a `ValueError`, as scikit-learn's own tools expect it."""


@contextmanager
def input_errors() -> Iterator[None]:
    """What is wrong with the input is raised as `InputError`, options by their names in Python."""
    try:
        yield
    except InputError:
        raise
    except UserError as error:
        message = re.sub(r"--([a-z][a-z-]*)", lambda option: option[1].replace("-", "_"), error.message)
        raise InputError(message, hint=error.hint) from None


def seed_of(random_state: int | np.random.RandomState | None) -> int:
    """The seed of a fit: a whole number is the seed itself, as `--seed` is; anything else draws one."""
    if isinstance(random_state, int | np.integer):
        return int(random_state)
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


def given_settings(**named: Any) -> dict[str, Any]:
    """The settings that were given: those that are not None, and all that lie in `settings`.

    Raises:
        InputError: One was given twice.
    """
    others = named.pop("settings") or {}
    given = {name: value for name, value in named.items() if value is not None}
    if twice := sorted(given.keys() & others.keys()):
        raise InputError(f"{', '.join(twice)} is given both by its own name and in settings", hint="give it once")
    return {name: plain(value) for name, value in (given | dict(others)).items()}


def plain(value: Any) -> Any:
    """A NumPy number as Python's own, which grids of parameters are often made of."""
    return value.item() if isinstance(value, np.generic) else value


def begin_saving(estimator: BaseEstimator, schema: str, folder: Path, fitted: Mapping[str, Any]) -> None:
    """Make `folder` and write the estimator's parameters and what it learnt beside its model into it.

    It is written first: a folder whose model is missing is refused when it is loaded.

    Raises:
        InputError: The folder already holds something, or a parameter has no place in a JSON file.
    """
    with input_errors():
        check_out(folder)
    params = {name: _kept(name, value) for name, value in estimator.get_params(deep=False).items()}
    names = getattr(estimator, "feature_names_in_", None)
    document = {
        "schema": schema,
        "versions": versions(),
        "params": params,
        "n_features_in": getattr(estimator, "n_features_in_", None),
        "feature_names_in": None if names is None else [str(name) for name in names],
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / FILE, document | {"fitted": dict(fitted)})


def _kept(name: str, value: Any) -> Any:
    value = plain(value)
    if isinstance(value, np.random.RandomState):
        return None  # its state goes on changing; what it gave is in the fitted seed
    if isinstance(value, Mapping):
        return {str(key): _kept(f"{name}[{key!r}]", item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_kept(name, item) for item in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    raise InputError(f"{name}: {value!r} cannot be saved in a JSON file")


def read_saved(folder: Path, schema: str) -> dict[str, Any] | None:
    """What `begin_saving` wrote into `folder`; None where there is no such file, as in a run folder.

    Raises:
        InputError: There is no such folder, or the file is of another schema.
    """
    if not folder.is_dir():
        raise InputError(f"no such folder: {folder}")
    if not (folder / FILE).exists():
        return None
    with input_errors():
        document = read_json(folder / FILE)
    found = document.get("schema") if isinstance(document, dict) else None
    if found != schema:
        raise InputError(
            f"{folder / FILE}: expected an estimator of schema {schema!r}, got {found!r}",
            hint="it was saved by another class or another version of trialwise: load it with that one",
        )
    wanted = {"params": dict, "fitted": dict}
    if damaged := [name for name, kind in wanted.items() if not isinstance(document.get(name), kind)]:
        raise InputError(f"{folder / FILE} is damaged: {', '.join(damaged)} is missing or wrong")
    return document


def params_of(cls: type, document: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The constructor's arguments; a list is a tuple again.

    Raises:
        InputError: One is unknown to this version.
    """
    known = cls._get_param_names()
    if unknown := sorted(document["params"].keys() - set(known)):
        raise InputError(
            f"{folder / FILE}: unknown parameter {unknown[0]!r}", hint="it is of another version of trialwise"
        )
    return {name: tuple(value) if isinstance(value, list) else value for name, value in document["params"].items()}


def restore_features(estimator: Any, document: Mapping[str, Any]) -> None:
    """Put `n_features_in_` and `feature_names_in_` back."""
    if document.get("n_features_in") is not None:
        estimator.n_features_in_ = document["n_features_in"]
    if document.get("feature_names_in") is not None:
        estimator.feature_names_in_ = np.asarray(document["feature_names_in"], dtype=object)
