"""Claim: at an equal budget of epochs, pausing and promotion find a lower validation loss than Optuna's pruners.

.venv/bin/python benchmarks/digits_epochs.py [SEEDS]
A network of one hidden layer on digits (800 to train, 500 to validate, another split for each seed), six
hyperparameters, 405 epochs, 27 at most a trial, one process. A study's value is the last validation loss of its best
complete trial, for everybody alike; nobody is given a default to begin with. Peers: Optuna 5 as it comes (TPE,
MedianPruner), and its TPE with its successive halving and Hyperband, which prune for good where trialwise pauses.
Splits differ in how low a loss can be had, so beside the losses stand each method's losses divided by those of
trialwise's default on the same split.
"""

import dataclasses
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import optuna
import torch
from sklearn.datasets import load_digits
from torch import nn

from measured import spread, write
from trialwise.base.seeds import child_seed
from trialwise.tuning.budgets import Budget
from trialwise.tuning.driver import StudyOver, StudyPlan, run_study
from trialwise.tuning.spaces import Float, Int, distributions
from trialwise.tuning.studies import Study
from trialwise.tuning.tasks import Task
from trialwise.tuning.trials import Config, Trial
from trialwise.tuning.winner import best_record, counts
from trialwise.tuning.workers import InlinePool

TOTAL, MOST = 405, 27
SPACE = {
    "learning_rate": Float(low=1e-3, high=1.0, log=True),
    "momentum": Float(low=0.0, high=0.98),
    "weight_decay": Float(low=1e-6, high=1e-1, log=True),
    "dropout": Float(low=0.0, high=0.6),
    "hidden": Int(low=16, high=256, log=True),
    "batch_size": Int(low=8, high=256, log=True),
}
PLAN = StudyPlan(budget=Budget(epochs=TOTAL), max_epochs=MOST, direction="minimize", sampler="tpe", seed=0)
DESIGNS = {
    "trialwise": PLAN,
    "trialwise --lockstep": dataclasses.replace(PLAN, lockstep=True),
}
PRUNERS = {
    "optuna default": optuna.pruners.MedianPruner,
    "optuna TPE + successive halving": lambda: optuna.pruners.SuccessiveHalvingPruner(
        min_resource=1, reduction_factor=3
    ),
    "optuna TPE + Hyperband": lambda: optuna.pruners.HyperbandPruner(
        min_resource=1, max_resource=MOST, reduction_factor=3
    ),
}


class Digits:
    """Trains with plain SGD on the first `n_train` of 800 images; paused trainings stay in memory."""

    def __init__(self, split_seed: int, n_train: int = 800) -> None:
        self._n_train = n_train
        images, labels = load_digits(return_X_y=True)
        order = np.random.default_rng(split_seed).permutation(len(labels))
        self._inputs_NP = torch.tensor(images / 16, dtype=torch.float32)[order]
        self._labels_N = torch.tensor(labels)[order]
        self._paused: dict[int, tuple[nn.Module, torch.optim.Optimizer]] = {}

    def __call__(self, config: Config, trial: Trial) -> Iterator[float]:
        """The validation loss after each epoch."""
        if trial.epochs_done == 0:
            self._paused[trial.number] = self._new(config, trial.seed)
        model, optimizer = self._paused[trial.number]
        if trial.folder is not None:
            trial.folder.mkdir(parents=True, exist_ok=True)
            (trial.folder / "in memory").touch()
        for epoch in trial.remaining_epochs():
            generator = torch.Generator().manual_seed(child_seed(trial.seed, "epoch", epoch) % 2**31)
            torch.manual_seed(child_seed(trial.seed, "dropout", epoch) % 2**31)
            model.train()
            for rows in torch.randperm(self._n_train, generator=generator).split(config["batch_size"]):
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(self._inputs_NP[rows]), self._labels_N[rows]).backward()
                optimizer.step()
            model.eval()
            with torch.no_grad():
                loss = nn.functional.cross_entropy(model(self._inputs_NP[800:1300]), self._labels_N[800:1300])
            yield min(float(loss), 1e6) if torch.isfinite(loss) else 1e6

    def _new(self, config: Config, seed: int) -> tuple[nn.Module, torch.optim.Optimizer]:
        torch.manual_seed(seed % 2**31)
        hidden = config["hidden"]
        model = nn.Sequential(nn.Linear(64, hidden), nn.ReLU(), nn.Dropout(config["dropout"]), nn.Linear(hidden, 10))
        return model, torch.optim.SGD(
            model.parameters(),
            lr=config["learning_rate"],
            momentum=config["momentum"],
            weight_decay=config["weight_decay"],
        )


def trialwise(plan: StudyPlan, seed: int) -> tuple[float, int, int]:
    """The best complete value, the number of trials and of epochs."""
    with tempfile.TemporaryDirectory() as folder, closing(InlinePool(Digits(seed))) as pool:
        study = Study(Path(folder), "minimize")
        over = None
        for event in run_study(study, SPACE, dataclasses.replace(plan, seed=seed), pool):
            over = event if isinstance(event, StudyOver) else over
        records = study.records()
        assert over is not None
        assert counts(records)["paused"] == 0
        return best_record(records, "minimize").value, len(records), over.epochs


def plain_optuna(pruner: optuna.pruners.BasePruner, seed: int) -> tuple[float, int, int]:
    """The same for a plain Optuna study; its last trial may be cut by the budget, and then does not count."""
    digits, used = Digits(seed), 0
    sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True)
    study = optuna.create_study(sampler=sampler, pruner=pruner)
    while used < TOTAL:
        trial = study.ask(distributions(SPACE))
        run = Trial(number=trial.number, seed=child_seed(seed, "trial", trial.number), max_epochs=MOST)
        state, loss = optuna.trial.TrialState.COMPLETE, None
        for epoch, loss in enumerate(
            digits(Task(trial=run, config=trial.params, until_epoch=MOST).config, run), start=1
        ):
            used += 1
            trial.report(loss, epoch)
            if trial.should_prune() or (used >= TOTAL and epoch < MOST):
                state = optuna.trial.TrialState.PRUNED
                break
        study.tell(trial, loss if state == optuna.trial.TrialState.COMPLETE else None, state=state)
    return study.best_value, len(study.trials), used


def figures_of(name: str, n_seeds: int) -> dict:
    start = time.process_time()
    if name in DESIGNS:
        found = [trialwise(DESIGNS[name], seed) for seed in range(n_seeds)]
    else:
        found = [plain_optuna(PRUNERS[name](), seed) for seed in range(n_seeds)]
    losses, n_trials, epochs = zip(*found, strict=True)
    assert max(epochs) <= TOTAL
    figures = {
        "best_valid_loss": spread(list(losses)),
        "trials": spread(list(n_trials)),
        "epochs": spread(list(epochs)),
    }
    print(
        f"{name:34} loss {figures['best_valid_loss']['median']:.4f} mean {sum(losses) / n_seeds:.4f}"
        f" max {max(losses):.4f} trials {figures['trials']['median']:.0f} cpu {time.process_time() - start:.0f} s",
        file=sys.stderr,
        flush=True,
    )
    return figures


if __name__ == "__main__":
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    n_seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    methods = {name: figures_of(name, n_seeds) for name in (*DESIGNS, *PRUNERS)}
    ours = methods["trialwise"]["best_valid_loss"]["values"]
    for figures in methods.values():
        losses = figures["best_valid_loss"]["values"]
        figures["times_the_loss_of_trialwise"] = spread([one / own for one, own in zip(losses, ours, strict=True)])
    write(
        "digits_epochs",
        {
            "methods": methods,
            "seeds": n_seeds,
            "epochs_total": TOTAL,
            "machine_idle": False,
        },
    )
