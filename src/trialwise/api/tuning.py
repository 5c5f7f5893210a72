"""The one door that every study goes through, whatever is tuned: how to search, run or go on, put on record."""

import dataclasses
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from trialwise.api.clusters import checked_cluster, ray_pool
from trialwise.api.confirming import StudyEnd, confirm_best, folder_name, folder_of, judge
from trialwise.api.from_study import beginning_of, learnt
from trialwise.api.runs import Note, Part, Watch, ends_well, finish
from trialwise.api.second_goal import minding, second_goal_document
from trialwise.api.study_places import checked_storage, copying_trials, driven_study, write_trials
from trialwise.base.errors import WorkError
from trialwise.base.runs import RunFolder
from trialwise.base.settings import fill
from trialwise.reports.study_sentences import transfer_sentences
from trialwise.tuning.belief import Belief
from trialwise.tuning.budgets import Budget, check_epochs
from trialwise.tuning.confirmation import DEFAULT, Confirming
from trialwise.tuning.driver import StudyOver, StudyPlan, run_study
from trialwise.tuning.earlier_proposals import Proposals
from trialwise.tuning.goals import check_note, parse_goal
from trialwise.tuning.rungs import Direction
from trialwise.tuning.samplers import SamplerName, choose_sampler
from trialwise.tuning.settings import SearchSettings
from trialwise.tuning.spaces import Space
from trialwise.tuning.studies import Study, TrialRecord
from trialwise.tuning.tasks import Pool
from trialwise.tuning.trials import Config, Objective
from trialwise.tuning.winner import counts, importances
from trialwise.tuning.workers import InlinePool, ProcessPool

# How to search: as settings, or as a mapping with some of their fields.
Search = SearchSettings | Mapping[str, Any] | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Tunable:
    """What a wing brings to a study.

    Attributes:
        name: What is being done, for people.
        objective: What gives a configuration its scores.
        space: What is searched.
        direction: Whether the lowest or the highest score wins.
        max_epochs: The epochs of a trial that is never pruned; 1 means that nothing is pruned.
        first_rung: The epochs before trials are first compared.
        default: The untuned configuration, tried first.
        deterministic: Whether one configuration is known to give one score always.
        in_process: Whether trials run here, one after the other, and not in processes of their own.
        code: The folder from which the user's own modules are imported; they are sent to the nodes of a cluster.
        facts: What the result should say beside the trials.
        keep: Called with the winner at the end, and the folder that it left behind (None where that is gone), to put
            what is worth keeping into the run folder.
        keep_default: The same for the default, where another trial is the winner.
        confirmable: Whether the best trials are worth another run: not where a minimum is looked for, and no model.
    """

    name: str
    objective: Objective
    space: Space
    direction: Direction
    max_epochs: int = 1
    first_rung: int = 1
    default: Config | None = None
    deterministic: bool = False
    in_process: bool = False
    code: Path | None = None
    facts: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    keep: Callable[[RunFolder, TrialRecord, Path | None], None] | None = None
    keep_default: Callable[[RunFolder, Path], None] | None = None
    confirmable: bool = True


def search_record(search: Search, *, trials: int) -> dict[str, Any]:
    """How to search, complete, as the run folder's settings keep it under "search".

    Args:
        search: As the caller gave it.
        trials: As many where the caller named no number and no other end.

    Raises:
        UserError: An unknown name or a bad value.
    """
    given = search if isinstance(search, SearchSettings) else fill(SearchSettings, search or {})
    known = given.trials or (None if given.has_end() else trials)
    checked_cluster(given.cluster)
    return dataclasses.asdict(dataclasses.replace(given, trials=known, storage=checked_storage(given.storage)))


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
        UserError: The sampler does not fit, the epochs do not hold one trial, the earlier study has nothing to say
            here, or no trial would have the second goal's number.
    """
    known = fill(SearchSettings, search)
    choose_sampler(known.sampler, space, pruning=max_epochs > 1)
    check_epochs(_budget(known), max_epochs, with_default=default is not None)
    if known.from_study is not None:
        learnt(known.from_study, space, direction, default)
    if known.also is not None and notes is not None:
        check_note(parse_goal(known.also), dict.fromkeys(notes, 0))


def search_of(run: RunFolder) -> SearchSettings:
    """How the study of a run folder searches."""
    return fill(SearchSettings, run.settings["search"])


def run_tuning(run: RunFolder, tuned: Tunable, watch: Watch) -> RunFolder:
    """Run or go on with the study of a run folder, and put its result on record.

    Args:
        run: Where the study lies; its settings hold a `search_record`.
        tuned: What is tuned.
        watch: Sees every `TrialEvent`.

    Raises:
        UserError: Another driver runs this study now, or the sampler does not fit the space.
        WorkError: The first trials all failed alike, or none gave a value.
        Interrupted: Ctrl-C, after what exists was saved.
    """
    start = time.perf_counter()
    search = search_of(run)
    beginning = beginning_of(run, search.from_study, tuned.space, tuned.direction, tuned.default)
    choice = choose_sampler(search.sampler, tuned.space, pruning=tuned.max_epochs > 1)
    plan = _plan(search, tuned, run.seed, choice.name, beginning.proposals if beginning else None)
    goal = parse_goal(search.also) if search.also else None
    facts = {
        "max_epochs": tuned.max_epochs,
        "sampler": choice.name,
        "sampler_reason": choice.reason,
        "lockstep": search.lockstep,
    }
    end = _end(search, tuned)
    interrupted = False
    over: StudyOver | None = None
    with driven_study(run, plan.direction, watch) as study, ends_well(run):
        watch = copying_trials(run, study, minding(goal, study, watch))
        run.reopen()
        try:
            if beginning is not None:
                watch(Note(text=beginning.announcement()))
            watch(Part(name=tuned.name, total=search.trials))
            with closing(_pool(run, search, tuned, watch)) as pool:
                facts |= {"workers": pool.capacity}
                over = _run_trials(study, tuned, plan, pool, watch)
                confirm_best(run, study.records(), end, pool, watch)
        except KeyboardInterrupt:
            interrupted = True
        records = study.records()
        belief = judge(run, records, end)
        best = _keep(run, records, belief, tuned)
        seconds = run.result.get("seconds", 0.0) + time.perf_counter() - start
        document: dict[str, Any] = (
            study_document(records, tuned, belief)
            | facts
            | {"stopped_by": over.stopped_by if over else None}
            | dict(tuned.facts)
            | second_goal_document(goal, records, tuned.direction)
            | ({"transfer": beginning.outcome(records, tuned.direction, belief.named)} if beginning else {})
        )
        write_trials(run, study)
        if beginning is not None:
            watch(Note(text=" ".join(transfer_sentences(document["transfer"]))))
    finish(run, document | {"seconds": seconds}, interrupted=interrupted, hint=f"trialwise study resume {run.label}")
    if best is None:
        raise _nothing_found(run, records)
    return run


def _nothing_found(run: RunFolder, records: list[TrialRecord]) -> WorkError:
    reasons = sorted({str(record.notes.get("reason")) for record in records})
    return WorkError(
        f"none of {len(records)} trials gave a value: {reasons[0]}" + (" (and others)" if len(reasons) > 1 else ""),
        hint=f"every trial and its reason: {run.label}/report.html",
    )


def _plan(
    search: SearchSettings, tuned: Tunable, seed: int, sampler: SamplerName, proposals: Proposals | None
) -> StudyPlan:
    return StudyPlan(
        budget=_budget(search),
        max_epochs=tuned.max_epochs,
        first_rung=tuned.first_rung,
        lockstep=search.lockstep,
        direction=tuned.direction,
        sampler=sampler,
        proposals=proposals,
        seed=seed,
        deterministic=tuned.deterministic,
        trial_minutes=search.trial_minutes,
    )


def _end(search: SearchSettings, tuned: Tunable) -> StudyEnd:
    return StudyEnd(
        confirming=Confirming(top=search.confirm if tuned.confirmable else 0, seeds=search.confirm_seeds),
        direction=tuned.direction,
        max_epochs=tuned.max_epochs,
        has_default=tuned.default is not None,
        deterministic=tuned.deterministic or not tuned.confirmable,
    )


def _budget(search: SearchSettings) -> Budget:
    return Budget(
        trials=search.trials,
        epochs=search.epochs_total,
        minutes=search.minutes,
        plateau=search.until_plateau,
        target=search.target,
    )


def _pool(run: RunFolder, search: SearchSettings, tuned: Tunable, watch: Watch) -> Pool:
    if search.cluster.ray is not None:
        return ray_pool(run, search, tuned.objective, tuned.code, watch)
    if tuned.in_process and search.trial_minutes is None:  # what hangs in this process could not be ended
        return InlinePool(tuned.objective)
    n_workers = 1 if tuned.in_process else search.workers or _free_cores()
    return ProcessPool(tuned.objective, min(n_workers, search.trials or n_workers))


def _free_cores() -> int:
    from trialwise.training.device import free_cores  # here: torch takes a second to load, and functions need none

    return free_cores()


def _run_trials(study: Study, tuned: Tunable, plan: StudyPlan, pool: Pool, watch: Watch) -> StudyOver | None:
    """What ended the study; None where nothing did."""
    over = None
    with closing(run_study(study, tuned.space, plan, pool, default=tuned.default)) as events:
        for event in events:
            over = event if isinstance(event, StudyOver) else over
            watch(event)
    return over


def _keep(run: RunFolder, records: list[TrialRecord], belief: Belief, tuned: Tunable) -> TrialRecord | None:
    """The named winner, after what it left behind was put into the run folder; None where there is none."""
    if belief.named is None:
        return None
    best = _record(records, belief.named)
    if tuned.keep is not None:
        tuned.keep(run, best, folder_of(run, belief, best.number))
    if tuned.keep_default is not None and tuned.default is not None and best.number != DEFAULT:
        folder = folder_of(run, belief, DEFAULT)
        if folder is not None:
            tuned.keep_default(run, folder)
    return best


def _record(records: list[TrialRecord], number: int) -> TrialRecord:
    return next(record for record in records if record.number == number)


def study_document(records: list[TrialRecord], tuned: Tunable, belief: Belief) -> dict[str, Any]:
    """What a study found, as plain JSON values; the best is the one that is named, see `Belief`."""
    best = None if belief.named is None else _record(records, belief.named)
    shares = importances(records, tuned.space, tuned.direction)
    has_default = tuned.default is not None and bool(records)
    return {
        "direction": tuned.direction,
        "n_trials": len(records),
        "counts": counts(records),
        "best_value": best.value if best else None,
        "best_params": best.params if best else None,
        "best_trial": best.number if best else None,
        "best": _trial_row(best) if best else None,
        "model": folder_name(belief),
        "default": _trial_row(records[0]) if has_default else None,
        **belief.to_document(),
        "importances": shares.to_document() if shares else None,
        "trials": [_trial_row(record) for record in records],
    }


def _trial_row(record: TrialRecord) -> dict[str, Any]:
    row = {"number": record.number, "state": record.state, "params": record.params, "value": record.value}
    return row | ({"reason": record.notes["reason"]} if "reason" in record.notes else {})
