import math

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from trialwise.base.errors import UserError, WorkError
from trialwise.training.checkpoints import Checkpoint
from trialwise.training.loop import fit
from trialwise.training.optimizers import build_optimizer, one_cycle

X = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] > 0).long()


def build(seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 2))


def start(model, checkpoint=None, **options):
    def batches(epoch):
        order = torch.randperm(64, generator=torch.Generator().manual_seed(epoch))
        for index in order.split(16):
            yield X[index], Y[index]

    def validate():
        with torch.no_grad():
            return {"accuracy": float((model(X).argmax(1) == Y).float().mean())}

    settings = {
        "n_epochs": 6,
        "steps_per_epoch": 4,
        "seed": 0,
        "schedule": one_cycle,
        "loss": nn.CrossEntropyLoss(),
    } | options
    settings.setdefault("optimizer", build_optimizer(model, "sgd", learning_rate=0.5, weight_decay=1e-4))
    return fit(
        model,
        batches=batches,
        validate=validate,
        checkpoint=checkpoint,
        **settings,
    )


def scores(results):
    return [(r.epoch, r.train_loss, r.valid, r.learning_rate) for r in results]


def test_it_learns_and_yields_one_result_an_epoch():
    results = list(start(build(), n_epochs=30))
    assert [r.epoch for r in results] == list(range(1, 31))
    assert results[-1].valid["accuracy"] > 0.95
    assert results[-1].train_loss < results[0].train_loss
    assert results[-1].learning_rate < 0.02


@pytest.mark.parametrize("stop_after", [1, 3, 5])
def test_resumed_equals_uninterrupted_to_the_last_bit(tmp_path, stop_after):
    whole_model, part_model, resumed_model = build(), build(), build(seed=99)
    whole = scores(start(whole_model))
    checkpoint = Checkpoint(tmp_path / "state.pt")
    part = start(part_model, checkpoint)
    first = scores(next(part) for _ in range(stop_after))
    part.close()
    rest = scores(start(resumed_model, checkpoint, results_known=stop_after))
    assert first + rest == whole
    for a, b in zip(whole_model.state_dict().values(), resumed_model.state_dict().values(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("optimizer", ["sgd", "muon"])
def test_in_float16_it_learns_too_and_resumes_with_the_scale_of_its_loss(tmp_path, optimizer):
    def training(checkpoint=None):
        model = build()
        built = build_optimizer(model, optimizer, learning_rate=0.5, weight_decay=1e-4)
        return start(model, checkpoint, n_epochs=12, autocast=torch.float16, optimizer=built)

    checkpoint = Checkpoint(tmp_path / "state.pt")
    whole = list(training())
    assert whole[-1].valid["accuracy"] > 0.9
    part = training(checkpoint)
    next(part)
    part.close()
    assert torch.load(checkpoint.path, weights_only=True)["scaler"]["scale"] > 1
    assert scores(training(checkpoint))[1:] == scores(whole)[1:]


def test_a_step_that_overflows_in_float16_is_left_out():
    model = build()
    before = [parameter.clone() for parameter in model.parameters()]
    optimizer = build_optimizer(model, "muon", learning_rate=0.5, weight_decay=0.0)
    list(start(model, n_epochs=1, steps_per_epoch=4, autocast=torch.float16, optimizer=optimizer, loss=overflowing))
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def overflowing(outputs, targets):
    """A loss of ordinary size whose gradient is too large for float16."""
    return (1e9 * (outputs - outputs.detach())).sum() + 1


def test_muon_and_an_average_of_weights_resume_to_the_last_bit_too(tmp_path):
    def training(checkpoint=None):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Unflatten(1, (1, 2, 2)), nn.Conv2d(1, 6, 2, padding=1), nn.Flatten(), nn.Linear(54, 2))
        model[1] = nn.Sequential(model[1], nn.Conv2d(6, 6, 1))
        average = AveragedModel(model)
        muon = build_optimizer(model, "muon", learning_rate=0.1, weight_decay=0.01)
        return average, start(model, checkpoint, average=average, optimizer=muon)

    with torch.random.fork_rng():
        checkpoint = Checkpoint(tmp_path / "state.pt")
        whole_average, whole = training()
        whole = scores(whole)
        _, part = training(checkpoint)
        first = [next(part), next(part)]
        part.close()
        resumed_average, rest = training(checkpoint)
        assert scores(first) + scores(rest)[2:] == whole
    assert int(whole_average.n_averaged) == int(resumed_average.n_averaged) == 24
    for a, b in zip(whole_average.parameters(), resumed_average.parameters(), strict=True):
        assert torch.equal(a, b)


def test_results_saved_but_not_recorded_are_yielded_again(tmp_path):
    checkpoint = Checkpoint(tmp_path / "state.pt")
    whole = scores(start(build(), checkpoint))
    assert scores(start(build(), checkpoint, results_known=2)) == whole[2:]
    assert [result["epoch"] for result in checkpoint.results()] == [1, 2, 3, 4, 5, 6]


def test_the_global_random_state_is_left_alone():
    before = torch.random.get_rng_state()
    list(start(build()))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_loss_that_is_no_number_stops_the_training():
    model = build()
    with torch.no_grad():
        model[0].weight.fill_(math.inf)
    with pytest.raises(WorkError, match="the loss became nan in epoch 1"):
        list(start(model))


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path):
    (tmp_path / "state.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(UserError, match=r"state\.pt is not a checkpoint"):
        next(start(build(), Checkpoint(tmp_path / "state.pt")))


def test_a_planted_pickle_is_not_run(tmp_path):
    import pickle

    class Planted:
        def __reduce__(self):
            return (open, (str(tmp_path / "planted"), "w"))

    torch.save({"model": Planted()}, tmp_path / "state.pt", pickle_module=pickle)
    with pytest.raises(UserError, match="is not a checkpoint"):
        next(start(build(), Checkpoint(tmp_path / "state.pt")))
    assert not (tmp_path / "planted").exists()
