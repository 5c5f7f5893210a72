"""A run as TensorBoard event files: scalars by epoch, and a session of the HParams tab for each trial."""

import importlib
import importlib.util
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trialwise.base.errors import UserError
from trialwise.base.files import replacing
from trialwise.integrations.tracked import Tracked

EVENTS = "events.out.tfevents.0.trialwise"  # TensorBoard reads every file with tfevents in its name


def check_tensorboard() -> None:
    """Refuse where TensorBoard is not installed.

    Raises:
        UserError: With what to install.
    """
    if importlib.util.find_spec("tensorboard") is None:
        raise UserError(
            "--tensorboard needs TensorBoard, which is not installed", hint="pip install 'trialwise[tensorboard]'"
        )


def log_to_tensorboard(run: Tracked, folder: Path) -> dict[str, Any]:
    """Write the run's event files below `folder`; told again, each file only grows by what is new.

    Args:
        run: The run. A study's trials become the sessions of the HParams tab; a single run is one.
        folder: What `tensorboard --logdir` is given.

    Returns:
        "folder" (the run's own), "n_sessions" and "n_changed" (files that are new or have grown).

    Raises:
        UserError: TensorBoard is not installed.
    """
    check_tensorboard()
    own = folder / f"{run.name}-{run.key[:6]}"
    changed = [_write(own / trial.name, _records(trial, session=f"{own.name}/{trial.name}")) for trial in run.trials]
    changed.append(_write(own, _records(run, session="" if run.trials else own.name)))
    return {"folder": str(own), "n_sessions": len(run.trials) or 1, "n_changed": sum(changed)}


def _write(folder: Path, records: Iterator[Any]) -> bool:
    """Write the events to the folder's file; whether there was something new.

    What is there is kept where the new text begins with it, so that a TensorBoard that runs reads on.
    """
    from tensorboard.summary.writer.record_writer import RecordWriter

    text = io.BytesIO()
    writer = RecordWriter(text)
    for record in records:
        writer.write(record.SerializeToString(deterministic=True))
    path, new = folder / EVENTS, text.getvalue()
    old = path.read_bytes() if path.exists() else b""
    if old == new:
        return False
    if old and new.startswith(old):
        with path.open("ab") as file:
            file.write(new[len(old) :])
    else:
        with replacing(path) as partial:
            partial.write_bytes(new)
    return True


def _records(told: Tracked, *, session: str) -> Iterator[Any]:
    """The events of a run or trial, in the order in which they came to be; `session` names it in the HParams tab."""
    event, summary = _message("compat.proto.event_pb2", "Event"), _message("compat.proto.summary_pb2", "Summary")
    yield event(wall_time=told.started, file_version="brain.Event:2")
    if session:
        yield event(wall_time=told.started, summary=_session_start(told, session))
    steps = sorted({step for curve in told.curves.values() for step in curve})
    for step in steps:
        values = [summary.Value(tag=name, simple_value=c[step]) for name, c in told.curves.items() if step in c]
        yield event(wall_time=told.started, step=step, summary=summary(value=values))
    if not told.is_over:
        return
    last = steps[-1] if steps else 0
    values = [summary.Value(tag=name, simple_value=value) for name, value in told.values.items()]
    yield event(wall_time=told.ended or told.started, step=last, summary=summary(value=values))
    if session:
        yield event(wall_time=told.ended or told.started, summary=_session_end(told))


def _session_start(told: Tracked, session: str) -> Any:
    from tensorboard.plugins.hparams import summary_v2

    return summary_v2.hparams_pb(dict(told.params), trial_id=session, start_time_secs=told.started)


def _session_end(told: Tracked) -> Any:
    from tensorboard.plugins.hparams import metadata

    statuses = importlib.import_module("tensorboard.plugins.hparams.api_pb2").__dict__
    status = statuses["STATUS_FAILURE" if told.state == "failed" else "STATUS_SUCCESS"]
    end = _message("plugins.hparams.plugin_data_pb2", "SessionEndInfo")(
        status=status, end_time_secs=told.ended or told.started
    )
    data = _message("plugins.hparams.plugin_data_pb2", "HParamsPluginData")(session_end_info=end)
    summary = _message("compat.proto.summary_pb2", "Summary")()
    about = metadata.create_summary_metadata(data)
    summary.value.add(tag=metadata.SESSION_END_INFO_TAG, metadata=about, tensor=metadata.NULL_TENSOR)
    return summary


def _message(module: str, name: str) -> Any:
    """A protobuf message of TensorBoard; type checkers do not see those, which are made on import."""
    return getattr(importlib.import_module(f"tensorboard.{module}"), name)
