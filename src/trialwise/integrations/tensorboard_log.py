"""A run for TensorBoard: the score of every trial by epoch, and the HParams tab with every trial's configuration."""

import importlib
import importlib.util
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from trialwise.base.errors import UserError
from trialwise.base.files import replacing
from trialwise.integrations.tracked import Tracked
from trialwise.tuning.spaces import Choice, Float, Int
from trialwise.tuning.studies import TrialRecord

EVENTS = "events.out.tfevents.0.trialwise"  # one name always: logged again, a file takes the place of the earlier one
STATE = "trialwise.state"  # beside the parameters, one of which may be called state


def log_to_tensorboard(tracked: Tracked, logdir: Path) -> dict[str, Any]:
    """Write a run's event files below `logdir`; logged again, they are replaced.

    Args:
        tracked: The run.
        logdir: What `tensorboard --logdir` is given; the run gets a folder of its name in it.

    Returns:
        "folder" and "n_trials".

    Raises:
        UserError: TensorBoard is not installed, or `logdir` is a file.
    """
    if importlib.util.find_spec("tensorboard") is None:
        raise UserError(
            "log --tensorboard needs tensorboard, which is not installed", hint="pip install 'trialwise[tensorboard]'"
        )
    if logdir.is_file():
        raise UserError(f"--tensorboard {logdir}: expected a folder, got a file")
    folder = logdir / f"{tracked.name}-{tracked.identity[:6]}"
    head = [_config(tracked)] if tracked.trials else []
    numbers = [(name, len(tracked.trials), value) for name, value in tracked.numbers.items()]
    _write(folder / EVENTS, tracked, head, [*tracked.epochs, *numbers])
    for record in tracked.trials:
        _trial(folder / f"trial-{record.number:04}" / EVENTS, tracked, record)
    return {"folder": str(folder), "n_trials": len(tracked.trials)}


def _trial(path: Path, tracked: Tracked, record: TrialRecord) -> None:
    from tensorboard.plugins.hparams import summary_v2 as hparams

    api_pb2, plugin_data_pb2 = _messages("plugins.hparams.api_pb2"), _messages("plugins.hparams.plugin_data_pb2")

    shown = record.params | {STATE: record.state}
    session = (
        f"{tracked.name}-{tracked.identity[:6]} trial {record.number}"  # one group each, also beside other studies
    )
    start = hparams.hparams_pb(shown, trial_id=session, start_time_secs=tracked.started_seconds)
    status = {
        "complete": api_pb2.STATUS_SUCCESS,
        "pruned": api_pb2.STATUS_SUCCESS,
        "failed": api_pb2.STATUS_FAILURE,
        "paused": api_pb2.STATUS_RUNNING,
    }[record.state]
    ended = tracked.started_seconds + (record.seconds or 0.0)
    data = plugin_data_pb2.HParamsPluginData(
        session_end_info=plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=ended)
    )
    _write(
        path,
        tracked,
        [start, _hparams_summary("_hparams_/session_end_info", data)],
        [("score", epoch, score) for epoch, score in record.scores.items()],
    )


def _config(tracked: Tracked) -> Any:
    """The experiment as the HParams tab shows it: parameters with their ranges, and the score."""
    from tensorboard.plugins.hparams import summary_v2 as hparams

    known = [hparams.HParam(name, _domain(parameter)) for name, parameter in tracked.space.items()]
    others = sorted({name for record in tracked.trials for name in record.params} - set(tracked.space))
    known += [hparams.HParam(name) for name in others]
    known.append(hparams.HParam(STATE, hparams.Discrete(["complete", "pruned", "failed", "paused"])))
    return hparams.hparams_config_pb(hparams=known, metrics=[hparams.Metric("score", display_name="score")])


def _domain(parameter: Float | Int | Choice) -> Any:
    from tensorboard.plugins.hparams import summary_v2 as hparams

    match parameter:
        case Float():
            return hparams.RealInterval(parameter.low, parameter.high)
        case Int():
            return hparams.IntInterval(parameter.low, parameter.high)
    kinds = {type(value) for value in parameter.choices}
    return hparams.Discrete(list(parameter.choices)) if len(kinds) == 1 else None


def _messages(name: str) -> Any:
    """A module of protocol messages; made when it is loaded, so that nothing is known of it before."""
    return importlib.import_module(f"tensorboard.{name}")


def _hparams_summary(tag: str, data: Any) -> Any:
    from tensorboard.plugins.hparams import metadata

    Summary = _messages("compat.proto.summary_pb2").Summary

    about = metadata.create_summary_metadata(data)
    return Summary(value=[Summary.Value(tag=tag, metadata=about, tensor=metadata.NULL_TENSOR)])


def _write(path: Path, tracked: Tracked, head: Iterable[Any], scalars: Iterable[tuple[str, int, float]]) -> None:
    from tensorboard.summary.writer.record_writer import RecordWriter

    Event, Summary = _messages("compat.proto.event_pb2").Event, _messages("compat.proto.summary_pb2").Summary

    at = tracked.started_seconds  # for all: when each epoch ended is not on record
    events = [Event(wall_time=at, file_version="brain.Event:2")]
    events += [Event(wall_time=at, summary=summary) for summary in head]
    for name, step, value in scalars:
        summary = Summary(value=[Summary.Value(tag=name, simple_value=value)])
        events.append(Event(wall_time=at, step=step, summary=summary))
    content = io.BytesIO()
    writer = RecordWriter(content)
    for event in events:
        writer.write(event.SerializeToString())
    with replacing(path) as partial:
        partial.write_bytes(content.getvalue())
