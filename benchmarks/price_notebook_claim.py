"""Claim: "volume and correlated stocks cut the LSTM's error by 10 to 20 %" is smaller than the spread between seeds.

.venv/bin/python benchmarks/price_notebook_claim.py
First as it is made in notebooks: closes scaled to 0..1, windows of 60 days, one target a window, Adam at 0.001, 20
epochs, batches of 64, an LSTM of 32 units, the last 20 % of AAPL's days as test; with the scaler fitted on the training
days, and with it fitted on all days (the leak). Then the same network on log-returns. Five seeds each; written down are
the squared error of the closes over the naive forecast's, and the effect of each set of columns seed by seed. At last
`price ablate` of trialwise, on days before the test.
"""

import sys

import numpy as np
import torch
from torch import nn

from measured import spread, write
from trialwise.prices.ablation import ablate, ablation_sentence, variants
from trialwise.prices.reader import embedded_prices, read_prices
from trialwise.prices.recipes import BacktestSettings
from trialwise.prices.table import accompanied
from trialwise.statistics.intervals import mean_interval

SEEDS = range(5)
WINDOW, EPOCHS, BATCH = 60, 20, 64
COLUMNS = {"close": (0,), "+ volume": (0, 1), "+ IBM and MSFT": (0, 2, 3), "+ all": (0, 1, 2, 3)}


class NotebookLSTM(nn.Module):
    """One LSTM layer, and a linear one on its last step."""

    def __init__(self, n_columns: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(n_columns, 32, batch_first=True)
        self.head = nn.Linear(32, 1)

    def forward(self, windows_BTF: torch.Tensor) -> torch.Tensor:
        return self.head(self.lstm(windows_BTF)[0][:, -1]).squeeze(-1)


def forecasts(inputs_NF: np.ndarray, targets_N: np.ndarray, first_test: int, seed: int) -> np.ndarray:
    """What the network says for the targets of the test days, each from the window of days before it."""
    torch.manual_seed(seed)
    inputs = torch.from_numpy(inputs_NF.astype(np.float32))
    windows = inputs[:-1].unfold(0, WINDOW, 1).transpose(1, 2)  # window i ends on the day before WINDOW + i
    targets = torch.from_numpy(targets_N[WINDOW:].astype(np.float32))
    n_train = first_test - WINDOW
    network = NotebookLSTM(inputs.shape[1])
    optimizer = torch.optim.Adam(network.parameters(), lr=0.001)
    for _ in range(EPOCHS):
        for chosen in torch.randperm(n_train).split(BATCH):
            optimizer.zero_grad()
            nn.functional.mse_loss(network(windows[chosen]), targets[chosen]).backward()
            optimizer.step()
    with torch.no_grad():
        return network(windows[n_train:]).double().numpy()


def over_naive(way: str, columns: tuple[int, ...], values_NF: np.ndarray, first_test: int, seed: int) -> float:
    """The squared error of the closes over that of today's close."""
    close = values_NF[:, 0]
    chosen = values_NF[:, columns]
    if way == "log-returns":
        changes = np.diff(np.log(chosen), axis=0, prepend=np.log(chosen[:1]))
        scaled = (changes - changes[1:first_test].mean(axis=0)) / changes[1:first_test].std(axis=0)
        sd, mean = changes[1:first_test, 0].std(), changes[1:first_test, 0].mean()
        said = close[first_test - 1 : -1] * np.exp(forecasts(scaled, scaled[:, 0], first_test, seed) * sd + mean)
    else:
        seen = chosen if way == "closes, scaler fitted on all days" else chosen[:first_test]
        low, high = seen.min(axis=0), seen.max(axis=0)
        scaled = (chosen - low) / (high - low)
        said = forecasts(scaled, scaled[:, 0], first_test, seed) * (high[0] - low[0]) + low[0]
    came = close[first_test:]
    return float(np.mean((came - said) ** 2) / np.mean((came - close[first_test - 1 : -1]) ** 2))


def main() -> None:
    torch.set_num_threads(1)
    apple, others = read_prices(embedded_prices("AAPL")), [read_prices(embedded_prices(n)) for n in ("IBM", "MSFT")]
    together = accompanied(apple, others)
    values_NF = np.stack([apple.close, apple.volume, *(one.close for one in together.companions)], axis=1)
    first_test = round(0.8 * len(apple))
    found = {}
    for way in ("closes, scaler fitted on training days", "closes, scaler fitted on all days", "log-returns"):
        errors = {
            name: [over_naive(way, columns, values_NF, first_test, seed) for seed in SEEDS]
            for name, columns in COLUMNS.items()
        }
        print(way, errors, file=sys.stderr)
        rows = {}
        for name, of_seeds in errors.items():
            changes = [mine / base - 1 for mine, base in zip(of_seeds, errors["close"], strict=True)]
            rows[name] = {"mse_over_naive": spread(of_seeds)}
            if name != "close":
                rows[name] |= {"effect_by_seed": changes, "effect_ci95": mean_interval(changes)}
                rows[name] |= {"effect_of_means": float(np.mean(of_seeds) / np.mean(errors["close"]) - 1)}
        found[way] = rows
    settings = BacktestSettings()
    compared = variants(together, settings, features=("volume",), layers=(), hidden=())
    rows = ablate(together, compared, seeds=len(SEEDS), seed=0)
    found["trialwise price ablate"] = {"verdict": ablation_sentence(rows), "rows": rows}
    write("price_notebook_claim", {"seeds": list(SEEDS), "ways": found, "machine_idle": False})


if __name__ == "__main__":
    main()
