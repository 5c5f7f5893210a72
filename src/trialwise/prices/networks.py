"""The LSTM: a forecast of the next day's move at every step of a stretch of days.

Legend: B stretches in a batch, T days in a stretch, F features, H hidden units.
"""

import torch
from torch import nn


class LSTMForecaster(nn.Module):
    """(B, T, F) scaled features -> (B, T) next-day log-returns in standard deviations.

    The output at step t has seen steps up to t. The last layer starts at zero, so an untrained network gives
    the naive forecast: no move.
    """

    def __init__(self, *, n_features: int, hidden_size: int, n_layers: int, dropout: float) -> None:
        super().__init__()
        between_layers = dropout if n_layers > 1 else 0.0
        self.lstm = nn.LSTM(n_features, hidden_size, num_layers=n_layers, dropout=between_layers, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden_size, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, features_BTF: torch.Tensor) -> torch.Tensor:
        hidden_BTH, _ = self.lstm(features_BTF)
        return self.head(self.dropout(hidden_BTH)).squeeze(-1)
