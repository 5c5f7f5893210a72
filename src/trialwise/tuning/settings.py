"""What every study can be told; needs neither torch nor Optuna, so that the command line's help is fast."""

import dataclasses

from trialwise.base.errors import UserError
from trialwise.base.passwords import without_passwords
from trialwise.tuning.goals import parse_goal
from trialwise.tuning.rungs import RungUnit, parse_first_rung
from trialwise.tuning.samplers import SamplerName


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClusterSettings:
    """Where trials run, when one machine is not enough. The sentences below are the options' help.

    Attributes:
        ray: Run the trials on the Ray cluster at this address: auto for the one of this machine, HOST:6379 from one of
            its nodes, ray://HOST:10001 from anywhere.
        cpus_per_trial: Processors of one trial, and its threads.
        gpus_per_trial: GPUs of one trial, with Ray or without; 0.5 for two trials on each. Left out without Ray, a
            trial sees one GPU, and as many images' trials run at once as there are GPUs.
        checkpoints: Where trials' checkpoints are kept: a folder that all nodes see, or a URL for fsspec, e.g.
            s3://bucket/folder; left out, the run folder, which all nodes must then see.
    """

    ray: str | None = None
    cpus_per_trial: int = 1
    gpus_per_trial: float = 0.0
    checkpoints: str | None = None

    def __post_init__(self) -> None:
        if self.cpus_per_trial < 1:
            raise UserError(f"--cpus-per-trial: expected at least 1, got {self.cpus_per_trial}")
        if self.checkpoints is not None and without_passwords(self.checkpoints) != self.checkpoints:
            raise UserError(
                f"--checkpoints {without_passwords(self.checkpoints)}: run folders keep no passwords",
                hint="fsspec takes them from its own files and the environment, e.g. AWS_SECRET_ACCESS_KEY",
            )
        gpus = self.gpus_per_trial
        if not 0 <= gpus < float("inf") or (gpus > 1 and gpus != int(gpus)):
            raise UserError(f"--gpus-per-trial: expected a share of one GPU or a whole number, got {gpus:g}")
        if self.ray is None and (self.cpus_per_trial > 1 or self.checkpoints is not None):
            raise UserError("--cpus-per-trial and --checkpoints are for a Ray cluster", hint="--ray auto")


@dataclasses.dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """How to search, whatever is tuned. The sentences below are the options' help.

    Attributes:
        trials: Configurations to try, those of an earlier session included; the first is the untuned default. Left
            out, as many as the rest of the budget holds, or 20 for images and 50 for all else.
        epochs_total: End the study after so many epochs of all trials together.
        minutes: End the study after about so many minutes, all sessions together.
        until_plateau: End the study once so many trials after the best one were no better.
        target: End the study once a trial's value is as good as this.
        lockstep: Compare trials in batches of nine; the table of trials does not depend on the number of workers.
        first_rung: Compare trials first after so much, e.g. 2 (epochs), 4000samples or 0.5minutes, then after three
            times as much, and so on; left out, after the epochs that suit the data.
        trial_minutes: End a trial that gives no score for so many minutes.
        workers: Processes of one thread each; left out, the cores that are free. On a Ray cluster, trials at once;
            left out, as many as it has room for.
        sampler: What proposes the trials; auto picks what fits the space and says why.
        confirm: The best trials that are run again on fresh seeds at the end, with the default, before one is named;
            on top of the budget. 0 leaves it out.
        confirm_seeds: Fresh seeds for each of them.
        storage: The database that keeps the study: sqlite:///FILE or postgresql://USER@HOST/DATABASE, the password from
            PGPASSWORD or ~/.pgpass; left out, a journal in the run folder.
        from_study: An earlier study to start from, a run folder or its name: its best configurations first, then a
            prior that fades.
        also: A second goal, a number that every trial puts on record, e.g. n_params (fewer are better) or recall:max;
            the report shows the front of the two.
    """

    trials: int | None = None
    epochs_total: int | None = None
    minutes: float | None = None
    until_plateau: int | None = None
    target: float | None = None
    lockstep: bool = False
    first_rung: str | None = None
    trial_minutes: float | None = None
    workers: int | None = None
    sampler: SamplerName = "auto"
    confirm: int = 3
    confirm_seeds: int = 2
    storage: str | None = dataclasses.field(default=None, repr=False)  # it may hold a password
    cluster: ClusterSettings = ClusterSettings()
    from_study: str | None = None
    also: str | None = None

    def __post_init__(self) -> None:
        for name in ("trials", "workers", "epochs_total", "until_plateau"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UserError(f"--{name.replace('_', '-')}: expected at least 1, got {value}")
        for name in ("minutes", "trial_minutes"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise UserError(f"--{name.replace('_', '-')}: expected more than 0, got {value:g}")
        if self.confirm < 0:
            raise UserError(f"--confirm: expected at least 0, got {self.confirm}")
        if self.confirm_seeds < 1:
            raise UserError(
                f"--confirm-seeds: expected at least 1, got {self.confirm_seeds}",
                hint="--confirm 0 runs nothing again",
            )
        if self.also is not None:
            parse_goal(self.also)
        if self.first_rung is not None:
            self._check_unit(parse_first_rung(self.first_rung).unit)

    def _check_unit(self, unit: RungUnit) -> None:
        if unit == "minutes" and self.lockstep:
            raise UserError(
                f"--lockstep: no table of trials can be repeated with --first-rung {self.first_rung}",
                hint="rungs in samples or epochs; or leave --lockstep out",
            )
        if unit != "epochs" and self.epochs_total is not None:
            raise UserError(
                f"--epochs-total: with --first-rung {self.first_rung} the epochs to a rung are not known beforehand",
                hint="--minutes or --trials",
            )

    def has_end(self) -> bool:
        """Whether something other than the number of trials ends the study."""
        # Not a target: it may never be reached.
        return any(end is not None for end in (self.epochs_total, self.minutes, self.until_plateau))
