"""Start a study from what an earlier one learnt: read once, kept in the run folder, judged at the end."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from trialwise.api.study_places import seen_study
from trialwise.base.files import read_json, write_json
from trialwise.base.runs import RunFolder
from trialwise.tuning.earlier import Earlier, learnt_from
from trialwise.tuning.earlier_proposals import Origin, Proposals
from trialwise.tuning.rungs import Direction
from trialwise.tuning.spaces import Space
from trialwise.tuning.studies import TrialRecord
from trialwise.tuning.trials import Config
from trialwise.tuning.winner import best_record

LEARNT = "from_study.json"


def learnt(name: str, space: Space, direction: Direction, default: Config | None) -> Earlier:
    """What the study in the run folder `name` says about `space`.

    Raises:
        UserError: There is no such study, or it has nothing to say here.
        WorkError: The database that holds it cannot be reached.
    """
    opened = RunFolder.open(name)
    with seen_study(opened) as study:
        trials = study.optuna.get_trials(deepcopy=False)
    return learnt_from(
        trials, label=opened.label, direction=study.direction, space=space, new_direction=direction, default=default
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Beginning:
    """What an earlier study brings to a new one."""

    earlier: Earlier
    proposals: Proposals

    def announcement(self) -> str:
        """What is about to be taken over, and from where."""
        n = len(self.earlier.first)
        best = "its best configuration comes" if n == 1 else f"its {n} best configurations come"
        differs = f" What differs: {'; '.join(self.earlier.differences)}." if self.earlier.differences else ""
        return f"starting from {self.earlier.label}: {best} first, then a prior that fades.{differs}"

    def outcome(self, records: Sequence[TrialRecord], direction: Direction, named: int | None) -> dict[str, Any]:
        """See `outcome`."""
        return outcome(records, direction, self.earlier, self.proposals, named=named)


def beginning_of(
    run: RunFolder, name: str | None, space: Space, direction: Direction, default: Config | None
) -> Beginning | None:
    """What the run starts from, as its folder keeps it; None where it starts from nothing.

    Read from the earlier study where it is not kept yet. Kept, because the earlier study may go on or be deleted, and
    this one must propose the same after a resume.
    """
    if name is None:
        return None
    path = run.path / LEARNT
    if not path.exists():
        write_json(path, learnt(name, space, direction, default).to_document())
    earlier = Earlier.from_document(read_json(path))
    proposals = Proposals(earlier, space, seed=run.seed, has_default=default is not None)
    return Beginning(earlier=earlier, proposals=proposals)


def outcome(
    records: Sequence[TrialRecord],
    direction: Direction,
    earlier: Earlier,
    proposals: Proposals,
    *,
    named: int | None,
) -> dict[str, Any]:
    """What became of the trials that came from the earlier study, beside those that did not; `named` is the winner.

    Returns:
        "study", "differences"; "groups": by origin, "trials", "complete", "best_value", "best_trial"; "winner": the
        origin of the named winner, None without one; "chance": that one of the trials that came from the earlier study
        would be the best of all that were proposed, if which one is best were drawn by lot.
    """
    origins = {record.number: proposals.origin(record.number) for record in records}
    proposed = [origin for origin in origins.values() if origin != "default"]
    groups = {origin: _group(records, origins, origin, direction) for origin in dict.fromkeys(proposed)}
    from_study = sum(origin != "own" for origin in proposed)
    return {
        "study": earlier.label,
        "differences": list(earlier.differences),
        "groups": groups,
        "winner": None if named is None else origins[named],
        "chance": from_study / len(proposed) if proposed else math.nan,
    }


def _group(
    records: Sequence[TrialRecord], origins: Mapping[int, Origin], origin: Origin, direction: Direction
) -> dict[str, Any]:
    members = [record for record in records if origins[record.number] == origin]
    best = best_record(members, direction)
    return {
        "trials": [record.number for record in members],
        "complete": sum(record.state == "complete" for record in members),
        "best_value": best.value if best else None,
        "best_trial": best.number if best else None,
    }
