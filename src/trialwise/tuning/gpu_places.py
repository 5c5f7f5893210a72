"""Which GPUs each of the trials that run at once on this machine sees."""

from collections.abc import Sequence


def gpu_places(gpus: Sequence[str], per_trial: float) -> list[str]:
    """What each trial that can run at once sees as CUDA_VISIBLE_DEVICES.

    Args:
        gpus: The GPUs, as CUDA_VISIBLE_DEVICES names them.
        per_trial: GPUs of one trial: a share of one, above 0, or a whole number.

    Returns:
        One text a place. Shares of one GPU are far apart, so that a few trials spread over all GPUs; GPUs that are
        too few for another trial stay idle.
    """
    if per_trial <= 1:
        return list(gpus) * int(1 / per_trial + 1e-9)  # 1 / 0.1 may be 9.99...
    n = int(per_trial)
    return [",".join(gpus[first : first + n]) for first in range(0, len(gpus) - n + 1, n)]
