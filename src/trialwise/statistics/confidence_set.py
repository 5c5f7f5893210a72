"""Which of many models may be the best one.

Legend: N days, K models, R resamples.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray


def confidence_set_p_values(
    losses_NK: ArrayLike,
    *,
    generator: np.random.Generator,
    n_resamples: int = 1000,
    block_length: int | None = None,
) -> NDArray[np.float64]:
    """(K,) p values in [0, 1]; the models above 0.1 form the 90 % model confidence set.

    Hansen, Lunde & Nason 2011, "The model confidence set", with the range statistic: as long as the largest
    difference in mean loss is significant, the model it speaks against leaves; a model's p value is the largest seen
    until it left. The best is among those that stay with the chosen confidence. Whole blocks of days are resampled,
    the end joined to the beginning (Politis & Romano 1992, "A circular block-resampling procedure").

    Models with the same losses on every day share one p value.

    Args:
        losses_NK: (N, K) losses, e.g. squared errors.
        generator: Where the blocks come from.
        n_resamples: How often to draw.
        block_length: Days in a block; by default the cube root of N, rounded up.

    Raises:
        ValueError: There are no days or no models, a loss is not finite, or a block is longer than all days.
    """
    losses_NK = np.asarray(losses_NK, dtype=np.float64)
    if losses_NK.ndim != 2 or 0 in losses_NK.shape or not np.isfinite(losses_NK).all():
        raise ValueError(f"expected finite losses of at least one day and one model, got shape {losses_NK.shape}")
    n = len(losses_NK)
    length = block_length if block_length is not None else int(np.ceil(n ** (1 / 3)))
    if not 1 <= length <= n:
        raise ValueError(f"expected a block length from 1 to {n}, got {length}")
    distinct_NK, original_K = np.unique(losses_NK, axis=1, return_inverse=True)
    resampled_RK = _block_means(distinct_NK, length, n_resamples, generator)
    return _eliminate(distinct_NK.mean(axis=0), resampled_RK)[original_K.ravel()]


def _block_means(
    losses_NK: NDArray[np.float64], length: int, n_resamples: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    """(R, K) mean losses of resamples made of whole blocks."""
    n = len(losses_NK)
    wrapped = np.concatenate([losses_NK, losses_NK[: length - 1]])
    block_means_NK = np.lib.stride_tricks.sliding_window_view(wrapped, length, axis=0).mean(axis=-1)
    starts = generator.integers(0, n, size=(n_resamples, max(1, round(n / length))))
    return block_means_NK[starts].mean(axis=1)


def _eliminate(mean_K: NDArray[np.float64], resampled_RK: NDArray[np.float64]) -> NDArray[np.float64]:
    differences_KK = mean_K[:, None] - mean_K
    centred_RKK = resampled_RK[:, :, None] - resampled_RK[:, None, :] - differences_KK
    sd_KK = np.sqrt(np.mean(centred_RKK**2, axis=0))
    # Two models whose losses differ by the same amount every day: the difference is certain.
    certain_KK = sd_KK <= 1e-12 * np.abs(mean_K).max()
    t_KK = np.divide(differences_KK, sd_KK, where=~certain_KK, out=np.where(differences_KK > 0, np.inf, -np.inf))
    t_RKK = np.divide(centred_RKK, sd_KK, where=~certain_KK, out=np.zeros_like(centred_RKK))
    np.fill_diagonal(t_KK, -np.inf)
    p_K, left, p = np.ones(len(mean_K)), list(range(len(mean_K))), 0.0
    while len(left) > 1:
        inside = np.ix_(left, left)
        largest = t_KK[inside].max()
        drawn_R = t_RKK[:, left][:, :, left].max(axis=(1, 2))
        p = max(p, float(np.mean(drawn_R > largest)))
        worst = left[int(t_KK[inside].max(axis=1).argmax())]
        p_K[worst] = p
        left.remove(worst)
    return p_K
