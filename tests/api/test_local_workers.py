"""How many processes run at once, and what each sees of the GPUs; no GPU is needed to ask."""

import pytest

from trialwise.api import local_workers
from trialwise.api.local_workers import local_pool
from trialwise.base.errors import UserError
from trialwise.training import device


@pytest.fixture
def pool_of(monkeypatch):
    """What the pool would be made of on a machine with so many GPUs and eight free cores."""

    def ask(n_gpus, **asked):
        made = {}
        monkeypatch.setattr(device, "visible_gpus", lambda: [str(index) for index in range(n_gpus)])
        monkeypatch.setattr(device, "free_cores", lambda: 8)
        monkeypatch.setattr(
            local_workers, "ProcessPool", lambda objective, n_workers, **rest: made.update(rest, n_workers=n_workers)
        )
        local_pool(None, **({"workers": None, "n_tasks": None} | asked))
        return made["n_workers"], made["gpus"], made["gpu_memory"]

    return ask


@pytest.mark.parametrize(
    ("n_gpus", "asked", "expected"),
    [
        (0, {}, (8, [], 1.0)),
        (0, {"on_gpu": True}, (8, [], 1.0)),
        (0, {"n_tasks": 3}, (3, [], 1.0)),
        (2, {"on_gpu": True}, (2, ["0", "1"], 1.0)),
        (2, {"on_gpu": True, "workers": 5}, (5, ["0", "1"], 1.0)),
        (2, {}, (8, ["0", "1"], 1.0)),  # an objective of the user's: nobody knows whether it uses them
        (2, {"gpus_per_trial": 0.25}, (8, ["0", "1"] * 4, 0.25)),
        (2, {"gpus_per_trial": 0.5, "workers": 3}, (3, ["0", "1", "0", "1"], 0.5)),
        (4, {"gpus_per_trial": 2.0}, (2, ["0,1", "2,3"], 1.0)),
        (16, {"on_gpu": True}, (8, [str(index) for index in range(16)], 1.0)),
    ],
)
def test_the_pool(n_gpus, asked, expected, pool_of):
    assert pool_of(n_gpus, **asked) == expected


@pytest.mark.parametrize(
    ("n_gpus", "asked", "message"),
    [
        (0, {"gpus_per_trial": 0.5}, "--gpus-per-trial 0.5: 0 CUDA GPUs here"),
        (1, {"gpus_per_trial": 2.0}, "--gpus-per-trial 2: 1 CUDA GPU here"),
        (2, {"gpus_per_trial": 0.5, "workers": 5}, "--workers 5: .* room for 4 at once"),
    ],
)
def test_what_there_is_no_room_for_is_refused(n_gpus, asked, message, pool_of):
    with pytest.raises(UserError, match=message):
        pool_of(n_gpus, **asked)
