"""How many processes run trials on this machine, and which GPU each of them sees."""

from trialwise.base.errors import UserError
from trialwise.tuning.gpu_places import gpu_places
from trialwise.tuning.trials import Objective
from trialwise.tuning.workers import ProcessPool


def checked_places(workers: int | None, gpus_per_trial: float) -> list[str]:
    """What each trial that can run at once sees as CUDA_VISIBLE_DEVICES, where each has so many GPUs.

    Raises:
        UserError: There is no room for a trial, or not for so many workers.
    """
    from trialwise.training.device import visible_gpus  # here: torch takes a second to load

    gpus = visible_gpus()
    places = gpu_places(gpus, gpus_per_trial)
    asked = f"--gpus-per-trial {gpus_per_trial:g}"
    if not places:
        found = f"{len(gpus)} CUDA GPU{'s' * (len(gpus) != 1)} here"
        raise UserError(f"{asked}: {found}", hint="trialwise doctor shows what there is")
    if workers is not None and workers > len(places):
        raise UserError(
            f"--workers {workers}: with {asked} there is room for {len(places)} at once",
            hint=f"--workers {len(places)}, or a smaller share",
        )
    return places


def local_pool(
    objective: Objective,
    *,
    workers: int | None,
    n_tasks: int | None,
    gpus_per_trial: float = 0.0,
    on_gpu: bool = False,
) -> ProcessPool:
    """The pool of this machine's own processes.

    Args:
        objective: What gives a configuration its scores.
        workers: How many; None for the free cores, or for as many as the GPUs have room for where they set it.
        n_tasks: No more processes than that; None where it is not known.
        gpus_per_trial: GPUs of one trial; 0 for one that nobody counts: the processes get the GPUs in turn.
        on_gpu: Whether trials compute on a GPU where there is one; without `workers`, one trial a GPU.

    Raises:
        UserError: See `checked_places`.
    """
    from trialwise.training.device import free_cores, visible_gpus  # here: torch takes a second to load

    places = checked_places(workers, gpus_per_trial) if gpus_per_trial else visible_gpus()
    n_workers = workers or free_cores()
    if workers is None and places and (gpus_per_trial or on_gpu):
        n_workers = min(n_workers, len(places))
    return ProcessPool(
        objective,
        min(n_workers, n_tasks or n_workers),
        gpus=places,
        gpu_memory=min(gpus_per_trial or 1.0, 1.0),
    )
