"""How to search: as the caller says it, as run folders keep it, and what the engine makes of it."""

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

from trialwise.api.clusters import absolute_checkpoints, checked_cluster
from trialwise.api.confirming import StudyEnd
from trialwise.api.from_study import learnt
from trialwise.api.local_workers import checked_places
from trialwise.api.study_places import checked_storage
from trialwise.api.tunable import Tunable
from trialwise.base.errors import UserError
from trialwise.base.runs import RunFolder
from trialwise.base.settings import fill
from trialwise.tuning.budgets import Budget, check_epochs
from trialwise.tuning.confirmation import Confirming
from trialwise.tuning.driver import StudyPlan
from trialwise.tuning.earlier_proposals import Proposals
from trialwise.tuning.goals import check_note, parse_goal
from trialwise.tuning.rungs import Direction, parse_first_rung
from trialwise.tuning.samplers import SamplerChoice, SamplerName, choose_sampler
from trialwise.tuning.settings import SearchSettings
from trialwise.tuning.spaces import Space
from trialwise.tuning.trials import Config

# How to search: as settings, or as a mapping with some of their fields.
Search = SearchSettings | Mapping[str, Any] | None


def search_record(search: Search, *, trials: int) -> dict[str, Any]:
    """How to search, complete, as the run folder's settings keep it under "search".

    Args:
        search: As the caller gave it.
        trials: As many where the caller named no number and no other end.

    Raises:
        UserError: An unknown name or a bad value, or no room for a trial on this machine's GPUs.
    """
    given = search if isinstance(search, SearchSettings) else fill(SearchSettings, search or {})
    known = given.trials or (None if given.has_end() else trials)
    checked_cluster(given.cluster)
    if given.cluster.ray is None and given.cluster.gpus_per_trial:
        checked_places(given.workers, given.cluster.gpus_per_trial)
    storage, cluster = checked_storage(given.storage), absolute_checkpoints(given.cluster)
    return dataclasses.asdict(dataclasses.replace(given, trials=known, storage=storage, cluster=cluster))


def check_search(
    search: Mapping[str, Any],
    space: Space,
    *,
    max_epochs: int,
    direction: Direction,
    default: Config | None,
    notes: Collection[str] | None = None,
) -> None:
    """Refuse what cannot search this space, before a run is made.

    Args:
        search: A `search_record`.
        space: What is searched.
        max_epochs: The epochs of a trial that is never pruned.
        direction: Whether the lowest or the highest score wins.
        default: The untuned configuration.
        notes: The numbers that every trial puts on record, where that is known beforehand.

    Raises:
        UserError: The sampler or the first rung does not fit, the epochs do not hold one trial, the earlier study has
            nothing to say here, or no trial would have the second goal's number.
    """
    known = fill(SearchSettings, search)
    choose_sampler(known.sampler, space, pruning=max_epochs > 1, has_default=default is not None)
    _check_first_rung(known, max_epochs)
    check_epochs(budget_of(known), max_epochs, with_default=default is not None)
    if known.from_study is not None:
        learnt(known.from_study, space, direction, default)
    if known.also is not None and notes is not None:
        check_note(parse_goal(known.also), dict.fromkeys(notes, 0))


def _check_first_rung(search: SearchSettings, max_epochs: int) -> None:
    if search.first_rung is None:
        return
    if max_epochs == 1:
        raise UserError(f"--first-rung {search.first_rung}: a trial of one epoch is not compared before its end")
    rung = parse_first_rung(search.first_rung)
    if rung.unit == "epochs" and rung.amount > max_epochs:
        raise UserError(f"--first-rung {search.first_rung}: expected at most {max_epochs}, the epochs of a whole trial")


def search_of(run: RunFolder) -> SearchSettings:
    """How the study of a run folder searches."""
    return fill(SearchSettings, run.settings["search"])


def sampler_of(search: SearchSettings, tuned: Tunable) -> SamplerChoice:
    """The sampler of the study of `tuned`, and the reason for it."""
    has_default = tuned.default is not None
    return choose_sampler(search.sampler, tuned.space, pruning=tuned.max_epochs > 1, has_default=has_default)


def plan_of(
    search: SearchSettings, tuned: Tunable, seed: int, sampler: SamplerName, proposals: Proposals | None
) -> StudyPlan:
    """How the study of `tuned` goes."""
    rung = parse_first_rung(search.first_rung) if search.first_rung else None
    return StudyPlan(
        budget=budget_of(search),
        max_epochs=tuned.max_epochs,
        first_rung=rung.amount if rung else tuned.first_rung,
        rung_unit=rung.unit if rung else "epochs",
        lockstep=search.lockstep,
        direction=tuned.direction,
        sampler=sampler,
        proposals=proposals,
        seed=seed,
        deterministic=tuned.deterministic,
        trial_minutes=search.trial_minutes,
        # Where the default is not run again on fresh seeds, its trial's model is the one to compare with.
        keep_default=tuned.keep_default is not None and not end_of(search, tuned).confirming.top,
    )


def end_of(search: SearchSettings, tuned: Tunable) -> StudyEnd:
    """What the end of the study of `tuned` needs to know."""
    return StudyEnd(
        confirming=Confirming(top=search.confirm if tuned.confirmable else 0, seeds=search.confirm_seeds),
        direction=tuned.direction,
        max_epochs=tuned.max_epochs,
        has_default=tuned.default is not None,
        deterministic=tuned.deterministic or not tuned.confirmable,
        trial_minutes=search.trial_minutes,
    )


def budget_of(search: SearchSettings) -> Budget:
    """What the study may use."""
    return Budget(
        trials=search.trials,
        epochs=search.epochs_total,
        minutes=search.minutes,
        plateau=search.until_plateau,
        target=search.target,
    )
