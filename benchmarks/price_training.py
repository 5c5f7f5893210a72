"""Claim: a loss at every step of long stretches trains 4 times faster to equal validation loss than one per window.

.venv/bin/python benchmarks/price_training.py [PYTHON]
The same LSTM of 32 units learns the log variance of the next day (of closes there is little to learn), on the same
days, from the same inputs, at the same learning rate, five seeds on each embedded file. The peer's way: windows of 60
days, one target a window, batches of 64, 8 epochs; also at PyTorch's default rate. Its lowest validation loss is the
mark; what counts are the processor's seconds of training (validation excluded) until each way is there, on one thread.

With PYTHON, the interpreter of an environment that has neuralforecast: its LSTM (same width, 60 days, one day ahead,
log-returns, otherwise its defaults) fits AAPL and forecasts the test days, import included, and so does trialwise (the
mean of three seeds). Each is a process of its own, timed from the outside.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from measured import spread, write
from trialwise.base.seeds import numpy_generator
from trialwise.prices.ensemble import WEIGHT_DECAY, build_network, cut_stretches
from trialwise.prices.features import build_features, feature_names, fit_scaler, log_returns, scale
from trialwise.prices.networks import LSTMForecaster
from trialwise.prices.reader import embedded_prices, read_prices
from trialwise.prices.splits import split_rows
from trialwise.prices.table import PriceTable, first_rows
from trialwise.prices.volatility_lstm import SETTINGS, STRETCH_DAYS, STRIDE_DAYS, WARM_UP_DAYS
from trialwise.prices.volatility_target import daily_variance

SEEDS = range(5)
WINDOW, WINDOW_BATCH, WINDOW_EPOCHS, STRETCH_EPOCHS = 60, 64, 8, 40

Batches = Callable[[int], Iterator[tuple[torch.Tensor, torch.Tensor]]]

PEER = """
import logging, sys, warnings
warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)
import numpy as np, pandas as pd, torch
torch.set_num_threads(1)
from neuralforecast import NeuralForecast
from neuralforecast.models import LSTM
data = np.load(sys.argv[1])
n_test, seed = int(sys.argv[2]), int(sys.argv[3])
frame = pd.DataFrame({"unique_id": "AAPL", "ds": np.arange(len(data)), "y": data})
model = LSTM(h=1, input_size=60, encoder_hidden_size=32, encoder_n_layers=1, random_seed=seed, accelerator="cpu",
             enable_progress_bar=False, logger=False, enable_checkpointing=False, enable_model_summary=False)
said = NeuralForecast(models=[model], freq=1).cross_validation(frame, n_windows=n_test, step_size=1, refit=False)
print("error", float(((said["y"] - said["LSTM"]) ** 2).mean() / (said["y"] ** 2).mean()))
"""

OURS = """
import sys
import numpy as np
from trialwise.prices.reader import embedded_prices, read_prices
from trialwise.prices.recipes import BacktestSettings
from trialwise.prices.features import log_returns
from trialwise.prices.splits import train_part
from trialwise.prices.train import forecast_returns, train_lstm
table, settings, n_test = read_prices(embedded_prices("AAPL")), BacktestSettings(), int(sys.argv[2])
trained = train_lstm(train_part(table, settings), settings, seed=int(sys.argv[3]))
said, came = forecast_returns(trained, table, len(table) - n_test), log_returns(table.close)[-n_test:]
print("error", float(((came - said) ** 2).mean() / (came**2).mean()))
"""


def curve(
    network: LSTMForecaster,
    batches: Batches,
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    validate: Callable[[], float],
    *,
    rate: float,
    epochs: int,
) -> list[tuple[float, float]]:
    """Seconds of the processor for training so far, and the validation loss, after each epoch."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=WEIGHT_DECAY)
    seconds, found = 0.0, []
    for epoch in range(1, epochs + 1):
        start = time.process_time()
        for inputs, targets in batches(epoch):
            optimizer.zero_grad()
            loss(network(inputs), targets).backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
        seconds += time.process_time() - start
        with torch.no_grad():
            found.append((seconds, validate()))
    return found


def in_order(n: int, size: int, seed: int) -> Callable[[int], tuple[torch.Tensor, ...]]:
    return lambda epoch: torch.from_numpy(numpy_generator(seed, "order", epoch).permutation(n)).split(size)


def compared(table: PriceTable, seed: int) -> dict:
    """The seconds of both ways until the windowed way's lowest validation loss, and the losses."""
    first_valid = split_rows(len(table), 0.0).valid.start
    log_variance = np.log(daily_variance(table))
    names = feature_names(table)
    inputs_NF = np.concatenate([log_variance[:, None], build_features(table, names)], axis=1)
    scaler = fit_scaler(inputs_NF[1:first_valid], log_returns(table.close)[1:first_valid], ("log_variance", *names))
    scaled_NF = scale(inputs_NF, scaler)
    mean, sd = log_variance[:first_valid].mean(), log_variance[:first_valid].std()
    targets_M = (log_variance[1:] - mean) / sd
    train, valid = cut_stretches(
        scaled_NF, targets_M, first_valid=first_valid, length=STRETCH_DAYS, stride=STRIDE_DAYS, warm_up=WARM_UP_DAYS
    )
    dense = build_network(SETTINGS, n_features=scaled_NF.shape[1], seed=seed)
    order = in_order(len(train.targets_BT), SETTINGS.batch_size, seed)
    of_dense = curve(
        dense,
        lambda epoch: ((train.inputs_BTF[c], train.targets_BT[c]) for c in order(epoch)),
        train.loss,
        lambda: float(valid.loss(dense(valid.inputs_BTF), valid.targets_BT)),
        rate=SETTINGS.learning_rate,
        epochs=STRETCH_EPOCHS,
    )
    windows = torch.from_numpy(scaled_NF).unfold(0, WINDOW, 1).transpose(1, 2)  # window i ends on day WINDOW - 1 + i
    goals = torch.from_numpy(targets_M.astype(np.float32))[WINDOW - 1 :]
    n_train, n_before = first_valid - WINDOW, first_valid - WINDOW
    found = {}
    for name, rate in (("same rate", SETTINGS.learning_rate), ("default rate", 1e-3)):
        windowed = build_network(SETTINGS, n_features=scaled_NF.shape[1], seed=seed)
        shuffled = in_order(n_train, WINDOW_BATCH, seed)
        of_windows = curve(
            windowed,
            lambda epoch, shuffled=shuffled: ((windows[c], goals[c]) for c in shuffled(epoch)),
            lambda outputs, wanted: functional.mse_loss(outputs[:, -1], wanted),
            lambda windowed=windowed: float(
                functional.mse_loss(windowed(windows[n_before : len(goals)])[:, -1], goals[n_before:])
            ),
            rate=rate,
            epochs=WINDOW_EPOCHS,
        )
        seconds, mark = min(of_windows, key=lambda point: point[1])
        ours = next((after for after, loss in of_dense if loss <= mark), None)
        found[name] = {
            "windows_seconds": seconds,
            "windows_loss": mark,
            "dense_seconds": ours,
            "times_faster": seconds / ours if ours else None,
        }
    return found | {"dense_lowest_loss": min(loss for _, loss in of_dense)}


def end_to_end(python: str) -> dict:
    table = read_prices(embedded_prices("AAPL"))
    n_test = len(split_rows(len(table), 0.2).test)
    found: dict = {}
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "returns.npy"
        np.save(data, log_returns(table.close))
        for seed in SEEDS:
            for name, interpreter, code in (("neuralforecast", python, PEER), ("trialwise", sys.executable, OURS)):
                command = [interpreter, "-c", code, str(data), str(n_test), str(seed)]
                start = time.perf_counter()
                done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder)
                seconds = time.perf_counter() - start
                error = float(done.stdout.split("error")[1])
                found.setdefault(name, []).append({"seconds": seconds, "mse / naive mse": error})
                print(name, found[name][-1], file=sys.stderr)
    medians = {name: spread([row["seconds"] for row in rows])["median"] for name, rows in found.items()}
    return found | {"times_faster": medians["neuralforecast"] / medians["trialwise"]}


def main() -> None:
    torch.set_num_threads(1)
    figures: dict = {"seeds": list(SEEDS), "machine_idle": False}
    ways: dict = {}
    for name in ("AAPL", "IBM", "MSFT"):
        table = read_prices(embedded_prices(name))
        before = first_rows(table, split_rows(len(table), 0.2).test.start)
        compared(before, 99)  # the first steps of a process are slow
        ways[name] = [compared(before, seed) for seed in SEEDS]
    figures["equal validation loss"] = ways
    for rate in ("same rate", "default rate"):
        times = [row[rate]["times_faster"] for rows in ways.values() for row in rows]
        reached = [value for value in times if value]
        figures[f"times faster, {rate}"] = spread(reached) | {"not reached": len(times) - len(reached)}
    print(json.dumps(figures["times faster, same rate"]), file=sys.stderr)
    if len(sys.argv) > 1:
        figures["end to end"] = end_to_end(sys.argv[1])
    write("price_training", figures)


if __name__ == "__main__":
    main()
