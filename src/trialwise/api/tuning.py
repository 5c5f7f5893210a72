"""The one door that every study goes through, whatever is tuned: run it or go on with it, and put it on record."""

import time
from contextlib import closing
from multiprocessing.reduction import ForkingPickler
from typing import Any

from trialwise.api.clusters import ray_pool
from trialwise.api.confirming import confirm_best, folder_of, judge
from trialwise.api.from_study import beginning_of
from trialwise.api.local_workers import local_pool
from trialwise.api.runs import Note, Part, Watch, ends_well, finish
from trialwise.api.searches import end_of, plan_of, sampler_of, search_of
from trialwise.api.second_goal import minding, second_goal_document
from trialwise.api.study_documents import nothing_found, record_of, study_document
from trialwise.api.study_places import copying_trials, driven_study, write_trials
from trialwise.api.tunable import Tunable
from trialwise.base.errors import UserError
from trialwise.base.runs import RunFolder
from trialwise.reports.study_sentences import transfer_sentences
from trialwise.tuning.belief import Belief
from trialwise.tuning.budgets import Spent, used_up
from trialwise.tuning.confirmation import DEFAULT
from trialwise.tuning.driver import StudyOver, StudyPlan, run_study
from trialwise.tuning.goals import parse_goal
from trialwise.tuning.ledger import begun_at_end, since_best
from trialwise.tuning.settings import SearchSettings
from trialwise.tuning.studies import Study, TrialRecord
from trialwise.tuning.tasks import Pool
from trialwise.tuning.trials import Objective
from trialwise.tuning.winner import best_record
from trialwise.tuning.workers import InlinePool


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
    choice = sampler_of(search, tuned)
    plan = plan_of(search, tuned, run.seed, choice.name, beginning.proposals if beginning else None)
    goal = parse_goal(search.also) if search.also else None
    facts = {
        "max_epochs": tuned.max_epochs,
        "sampler": choice.name,
        "sampler_reason": choice.reason,
        "lockstep": search.lockstep,
        "first_rung": search.first_rung,
    }
    end = end_of(search, tuned)
    interrupted = False
    over: StudyOver | None = None
    with driven_study(run, plan.direction, watch) as study, ends_well(run):
        watch = copying_trials(run, study, minding(goal, study, watch))
        start -= _seconds_before(run, study)
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
        write_trials(run, study)
        belief = judge(run, records, end)
        best = _keep(run, records, belief, tuned)
        seconds = time.perf_counter() - start
        document: dict[str, Any] = (
            study_document(records, tuned, belief)
            | facts
            | {"stopped_by": over.stopped_by if over else None}
            | dict(tuned.facts)
            | second_goal_document(goal, records, tuned.direction)
            | ({"transfer": beginning.outcome(records, tuned.direction, belief.named)} if beginning else {})
        )
        if beginning is not None:
            watch(Note(text=" ".join(transfer_sentences(document["transfer"]))))
    finish(run, document | {"seconds": seconds}, interrupted=interrupted, hint=f"trialwise study resume {run.label}")
    if best is None:
        raise nothing_found(run, records)
    return run


def _seconds_before(run: RunFolder, study: Study) -> float:
    """The working time of earlier sessions; one that was killed put no result on record, but now and then its time."""
    return max(run.result.get("seconds", 0.0), study.seconds)


def _say_if_used_up(study: Study, tuned: Tunable, plan: StudyPlan, watch: Watch) -> None:
    """Say so where a study that goes on has no budget left for another trial."""
    records = study.records()
    if not records:
        return
    best = best_record(records, plan.direction)
    ends = {record.number: begun_at_end(record) for record in records if record.state == "complete"}
    spent = Spent(
        trials=len(records),
        epochs=sum(len(record.scores) for record in records),
        seconds=study.seconds,
        best=(best.number, best.value) if best is not None and best.value is not None else None,
        since_best=since_best(
            len(records),
            ends,
            best=best.number if best is not None else None,
            default=DEFAULT if tuned.default is not None else None,
        ),
    )
    is_open = any(record.state == "paused" for record in records)
    text = used_up(plan.budget, spent, plan.direction, is_open=is_open, first_rung=int(plan.first_rung))
    if text is not None:
        watch(Note(text=text))


def _run_trials(study: Study, tuned: Tunable, plan: StudyPlan, pool: Pool, watch: Watch) -> StudyOver | None:
    """What ended the study; None where nothing did."""
    _say_if_used_up(study, tuned, plan, watch)
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
    best = record_of(records, belief.named)
    if tuned.keep is not None:
        tuned.keep(run, best, folder_of(run, belief, best.number))
    if tuned.keep_default is not None and tuned.default is not None and best.number != DEFAULT:
        folder = folder_of(run, belief, DEFAULT)
        if folder is not None:
            tuned.keep_default(run, folder)
    return best


def _pool(run: RunFolder, search: SearchSettings, tuned: Tunable, watch: Watch) -> Pool:
    if search.cluster.ray is not None:
        return ray_pool(run, search, tuned.objective, tuned.code, watch)
    own_process = search.trial_minutes is not None or search.cluster.gpus_per_trial  # to end it, to choose its GPU
    if tuned.in_process and not own_process:
        return InlinePool(tuned.objective)
    if tuned.in_process:
        _check_can_be_sent(tuned.objective)
    return local_pool(
        tuned.objective,
        workers=1 if tuned.in_process else search.workers,
        n_tasks=search.trials,
        gpus_per_trial=search.cluster.gpus_per_trial,
        on_gpu=tuned.on_gpu,
    )


def _check_can_be_sent(objective: Objective) -> None:
    """Refuse an object of the caller's that no other process can be given, e.g. a lambda."""
    try:
        ForkingPickler.dumps(objective)
    except Exception as error:  # of every kind, by what the object holds
        raise UserError(
            f"with trial_minutes or gpus_per_trial trials run in another process, and this objective cannot be sent "
            f"to one: {error}",
            hint="a function at the top of a module can",
        ) from error
