"""The peer of `tuning_wall_time.py` that runs Ray Tune: ASHA and OptunaSearch, the same objective and space.

.venv/bin/python -m pip install 'ray[tune]'    # for this peer alone
"""

import os
import tempfile
import time
import zlib
from contextlib import closing
from pathlib import Path

from trialwise.base.seeds import child_seed
from trialwise.tuning.spaces import Choice, Float, Int, Parameter, Space
from trialwise.tuning.trials import Objective, Trial

Curve = list[tuple[float, float]]  # seconds since the start, the best score so far


def ray_tune(
    objective: Objective,
    space: Space,
    *,
    trials: int,
    epochs: int,
    first_rung: int = 1,
    seconds: float | None = None,
    target: float | None = None,
    workers: int = 2,
    seed: int = 0,
) -> Curve:
    """The curve of Ray Tune as its documentation recommends it; the start of Ray and of its workers is included.

    Args:
        objective: Yields one score an epoch; the highest wins.
        space: Without conditions, which `OptunaSearch` of a `tune` space does not know.
        trials: At most.
        epochs: Of a trial that is never pruned.
        first_rung: ASHA's grace period.
        seconds: The study ends then; None for no limit.
        target: A score that ends the study; None for none.
        workers: Trials at once, of one processor each.
        seed: Of the searcher and, with its number, of each trial.
    """
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AIR_NEW_OUTPUT": "0", "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1"}
    import ray
    from ray import tune
    from ray.tune.schedulers import ASHAScheduler
    from ray.tune.search import ConcurrencyLimiter
    from ray.tune.search.optuna import OptunaSearch

    start = time.perf_counter()
    curve: Curve = []

    class Had(tune.Stopper):
        """Ends all trials once one had the target."""

        done = False

        def __call__(self, trial_id, result):
            self.done |= target is not None and result.get("score", 0.0) >= target
            return self.done

        def stop_all(self):
            return self.done

    class Best(tune.Callback):
        """Notes the best score when the driver hears of it, as for the other peers."""

        def on_trial_result(self, iteration, trials, trial, result, **info):
            if "score" in result and (not curve or result["score"] > curve[-1][1]):
                curve.append((time.perf_counter() - start, result["score"]))

    ray.init("local", num_cpus=workers, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    try:
        shipped = ray.put(objective)
        with tempfile.TemporaryDirectory() as folder:
            tuner = tune.Tuner(
                tune.with_resources(_trainable(shipped, epochs, seed, Path(folder) / "trials"), {"cpu": 1}),
                param_space={name: _domain(tune, parameter) for name, parameter in space.items()},
                tune_config=tune.TuneConfig(
                    metric="score",
                    mode="max",
                    num_samples=trials,
                    time_budget_s=seconds,
                    search_alg=ConcurrencyLimiter(OptunaSearch(seed=seed), max_concurrent=workers),
                    scheduler=ASHAScheduler(max_t=epochs, grace_period=first_rung, reduction_factor=3),
                ),
                run_config=tune.RunConfig(storage_path=f"{folder}/results", callbacks=[Best()], verbose=0, stop=Had()),
            )
            tuner.fit()
    finally:
        ray.shutdown()
    return curve


def _trainable(shipped, epochs: int, seed: int, folder: Path):
    def train(config: dict) -> None:
        import ray
        import torch
        from ray import tune

        torch.set_num_threads(1)
        name = tune.get_context().get_trial_id()
        run = Trial(
            number=0, seed=child_seed(seed, "trial", zlib.crc32(name.encode())), max_epochs=epochs, folder=folder / name
        )
        run.folder.mkdir(parents=True)
        with closing(ray.get(shipped)(config, run)) as scores:
            for score in scores:
                tune.report({"score": float(score)})

    return train


def _domain(tune, parameter: Parameter):
    match parameter:
        case Float(low=low, high=high, log=log):
            return tune.loguniform(low, high) if log else tune.uniform(low, high)
        case Int(low=low, high=high, log=log):
            return tune.lograndint(low, high + 1) if log else tune.randint(low, high + 1)
        case Choice(choices=choices):
            return tune.choice(list(choices))
