import warnings

import numpy as np
import pytest

from trialwise.statistics.confidence_set import confidence_set_p_values


def p_values(losses, seed=0, **given):
    return confidence_set_p_values(losses, generator=np.random.default_rng(seed), **given)


def noise(n=400, k=4, seed=0):
    return np.random.default_rng(seed).standard_normal((n, k)) ** 2


def test_a_clearly_worse_model_leaves_and_equal_ones_stay():
    losses = noise()
    losses[:, 2] += 1.0
    found = p_values(losses)
    assert found[2] < 0.01
    assert (found[[0, 1, 3]] > 0.1).all()
    assert found.max() == 1.0


def test_models_with_the_same_losses_share_a_fate():
    losses = noise(k=3)
    losses[:, 1] += 1.0
    found = p_values(losses[:, [0, 1, 0, 1, 2]])
    assert found[0] == found[2]
    assert found[1] == found[3] < 0.01
    assert p_values(np.ones((20, 3))).tolist() == [1, 1, 1]


def test_a_certain_difference():
    losses = noise(k=1)
    assert p_values(np.hstack([losses, losses + 0.5])).tolist() == [1, 0]


def test_one_model():
    assert p_values(noise(k=1)).tolist() == [1]


def test_the_order_of_models_does_not_matter_and_the_seed_does():
    losses = noise()
    np.testing.assert_allclose(p_values(losses[:, ::-1])[::-1], p_values(losses), atol=1e-12)
    assert not np.array_equal(p_values(losses, seed=1), p_values(losses))


def test_size_all_equal_models_stay_in_nine_of_ten():
    kept = [(p_values(noise(300, 5, seed), seed, n_resamples=300) > 0.1).all() for seed in range(300)]
    assert 0.86 < np.mean(kept) < 0.95


def test_like_arch():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bootstrap = pytest.importorskip("arch.bootstrap", reason="arch is not installed")
    losses = noise(500, 6) + np.array([0, 0.05, 0.1, 0.2, 0.4, 0.8])
    theirs = bootstrap.MCS(losses, size=0.1, reps=4000, block_size=8, bootstrap="circular", seed=0)
    theirs.compute()
    wanted = theirs.pvalues["Pvalue"].sort_index().to_numpy()
    np.testing.assert_allclose(p_values(losses, n_resamples=4000, block_length=8), wanted, atol=0.03)


def test_bad_losses():
    for wrong in (np.zeros((0, 2)), np.zeros(3), np.full((3, 2), np.nan)):
        with pytest.raises(ValueError, match="finite losses"):
            p_values(wrong)
    with pytest.raises(ValueError, match="block length from 1 to 3"):
        p_values(np.zeros((3, 2)), block_length=4)
