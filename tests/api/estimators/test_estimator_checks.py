"""scikit-learn's own checks of what an estimator is, with every expected failure and its reason."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from trialwise import ImageClassifier, PriceForecaster
from trialwise.api.estimators import prices as price_estimator
from trialwise.api.estimators.price_columns import table_of

EXPECTED_FAILURES = {
    PriceForecaster: {
        "check_fit1d": "one number a day, a row of closes, is what most people have: it is taken, not refused",
        "check_fit2d_predict1d": "as check_fit1d; what is refused is a number of columns other than in fit",
    },
}
CLASSIFIER = ImageClassifier(
    image_shape="pad",  # the checks' features are no images
    epochs=6,
    max_params=5000,
    settings={"family": "plain"},
    n_threads=1,
    random_state=0,
)
FORECASTER = PriceForecaster(window=2, hidden_size=2, epochs=1, n_networks=1, random_state=0)


@pytest.fixture(autouse=True)
def above_zero(monkeypatch):
    """Numbers of 0 and more, the least that scikit-learn's checks can be asked for, as prices, which are above 0."""

    def lifted(values_NF, *others):
        return table_of(values_NF if (values_NF < 0).any() else values_NF + 1.0, *others)

    monkeypatch.setattr(price_estimator, "table_of", lifted)


@pytest.mark.filterwarnings("ignore:y is not trained on")  # the checks' y is any number
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(
    [CLASSIFIER, FORECASTER],
    expected_failed_checks=lambda estimator: EXPECTED_FAILURES.get(type(estimator), {}),
    xfail_strict=True,
)
def test_scikit_learns_checks(estimator, check):
    check(estimator)


def test_importing_them_needs_no_torch_and_asking_for_help_neither():
    code = (
        "import sys; from trialwise import ImageClassifier, PriceForecaster; "
        "ImageClassifier(), PriceForecaster(); heavy = {'torch', 'optuna', 'matplotlib'} & set(sys.modules); "
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_they_are_told_apart():
    from sklearn.base import is_classifier, is_regressor

    assert is_classifier(CLASSIFIER)
    assert is_regressor(FORECASTER)
    assert np.isscalar(FORECASTER.get_params()["window"])
