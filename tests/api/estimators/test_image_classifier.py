"""`ImageClassifier` as a user of scikit-learn has it."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from trialwise import ImageClassifier, api
from trialwise.api.estimators.pictures import form_of, pictures
from trialwise.base.errors import UserError
from trialwise.images.saved import load_model
from trialwise.images.sources import find_source
from trialwise.images.store import open_train, prepare

TINY = {"epochs": 2, "max_params": 5000, "n_threads": 1, "random_state": 0}
LEARNS = TINY | {"epochs": 10, "batch_size": 16, "settings": {"family": "plain"}}


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:400], y[:400], X[400:600], y[400:600]


@pytest.fixture(scope="module")
def fitted(digits, kept_cache):
    X, y, *_ = digits
    return ImageClassifier(**LEARNS).fit(X, y)


def same(one, other, X):
    return np.array_equal(one.predict_proba(X), other.predict_proba(X))


def test_it_is_the_training_of_image_train(tmp_path):
    run = api.train("digits", settings={"epochs": 2, "max_params": 5000}, seed=3, n_threads=1, out=tmp_path / "run")
    rows = open_train(prepare(find_source("digits")))
    fitted = ImageClassifier(**TINY | {"random_state": 3}).fit(rows.images_NHWC, rows.labels_N)
    of_run = load_model(run.path, torch.device("cpu"))
    ours, theirs = fitted.model_.network.state_dict(), of_run.network.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert fitted.model_.temperature == of_run.temperature
    assert fitted.history_[-1]["valid"]["accuracy"] == run.result["valid"]["accuracy"]
    said = api.predict(run, rows.images_NHWC, top=10)
    assert np.array_equal(fitted.predict(rows.images_NHWC).astype(str), [said.classes[k] for k in said.top_NT[:, 0]])
    # The digits of scikit-learn are the same pictures, in another order and as numbers from 0 to 16.
    flat, _ = load_digits(return_X_y=True)
    seen = {row.tobytes() for row in pictures(flat, form_of(flat, None, None))}
    assert all(row.tobytes() in seen for row in rows.images_NHWC)

    loaded = ImageClassifier.load(run.path)  # a run of the command line, as an estimator
    assert loaded.classes_.tolist() == [str(digit) for digit in range(10)]
    assert same(loaded, fitted, rows.images_NHWC)


def test_it_learns_and_its_answers_are_probabilities(fitted, digits):
    *_, X, y = digits
    assert fitted.score(X, y) > 0.7  # a tenth by chance
    probabilities = fitted.predict_proba(X)
    assert probabilities.shape == (200, 10)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert np.array_equal(fitted.classes_[probabilities.argmax(1)], fitted.predict(X))
    assert [epoch["epoch"] for epoch in fitted.history_] == list(range(1, 11))
    assert fitted.settings_["max_params"] == 5000


def test_no_answer_depends_on_the_rows_beside_it(fitted, digits):
    *_, X, _ = digits
    together = fitted.predict_proba(X)
    assert np.array_equal(together, np.concatenate([fitted.predict_proba(part) for part in np.split(X, 40)]))
    assert np.array_equal(together[::-1], fitted.predict_proba(X[::-1]))
    assert np.array_equal(together[:1], fitted.predict_proba(X[:1]))


def test_the_same_seed_gives_the_same_predictions_and_none_another_each_time(digits):
    X, y, other, _ = digits
    one = ImageClassifier(**TINY).fit(X, y)
    assert same(one, clone(one).fit(X, y), other)
    assert not same(one, clone(one).set_params(random_state=1).fit(X, y), other)
    state = np.random.RandomState(0)
    drawn = [clone(one).set_params(random_state=state).fit(X, y).seed_ for _ in range(2)]
    assert drawn[0] != clone(one).set_params(random_state=None).fit(X, y).seed_
    assert drawn[0] == clone(one).set_params(random_state=np.random.RandomState(0)).fit(X, y).seed_


def test_fit_writes_nothing(digits, tmp_path):
    X, y, *_ = digits
    before = {path for path in tmp_path.rglob("*") if "cache" not in path.parts}
    ImageClassifier(**TINY).fit(X, y)
    assert {path for path in tmp_path.rglob("*") if "cache" not in path.parts} == before


def test_flat_square_and_deep_arrays_are_the_same_pictures(fitted, digits):
    *_, X, _ = digits
    assert same(fitted, ImageClassifier(**LEARNS).fit(digits[0].reshape(-1, 8, 8), digits[1]), X)
    for shape in [(-1, 8, 8), (-1, 8, 8, 1)]:
        assert np.array_equal(fitted.predict_proba(X.reshape(shape)), fitted.predict_proba(X))


@pytest.mark.parametrize("labels", [["no", "yes"], [False, True], [3, -1], [1.0, 2.0]])
def test_labels_of_any_kind_come_back(labels, tmp_path):
    generator = np.random.default_rng(0)
    y = np.asarray(labels)[generator.integers(0, 2, 60)]
    X = np.where(y == y[0], 40, 200)[:, None, None, None] + generator.integers(-20, 20, (60, 10, 10, 3))
    fitted = ImageClassifier(**TINY | {"epochs": 8}).fit(X.astype(np.uint8), y)
    assert fitted.classes_.tolist() == sorted(labels)
    assert fitted.score(X.astype(np.uint8), y) == 1.0
    loaded = ImageClassifier.load(fitted.save(tmp_path / "saved"))
    assert loaded.classes_.dtype == fitted.classes_.dtype
    assert np.array_equal(loaded.predict(X.astype(np.uint8)), fitted.predict(X.astype(np.uint8)))


def test_image_files(tmp_path, write_images):
    files = sorted(write_images(tmp_path / "photos", {"cats": 10, "dogs": 10}).rglob("*.png"))
    y = [file.parent.name for file in files]
    fitted = ImageClassifier(**TINY | {"epochs": 8}).fit(files, y)
    assert fitted.classes_.tolist() == ["cats", "dogs"]
    assert fitted.score([str(file) for file in files], y) > 0.9
    assert fitted.model_.architecture.image_size == 12
    assert cross_val_score(ImageClassifier(**TINY), files, y, cv=2, error_score="raise").shape == (2,)
    files[3].write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"003\.png: not an image"):
        fitted.predict(files)
    with pytest.raises(ValueError, match="image files, as in fit"):
        fitted.predict(np.zeros((2, 12, 12, 3), dtype=np.uint8))


def test_sizes_that_are_not_square(tmp_path):
    generator = np.random.default_rng(0)
    X = generator.random((40, 10 * 14 * 3))
    y = np.arange(40) % 2
    fitted = ImageClassifier(**TINY, image_shape=(10, 14, 3)).fit(X, y)
    assert (fitted.model_.architecture.image_size, fitted.model_.architecture.channels) == (14, 3)
    with pytest.raises(ValueError, match=r"image_shape \(10, 14\) has 140 values, X has 420 a row"):
        ImageClassifier(**TINY, image_shape=(10, 14)).fit(X, y)
    assert ImageClassifier(**TINY, image_shape="pad").fit(X[:, :50], y).predict(X[:, :50]).shape == (40,)


def test_nothing_of_an_array_is_cropped():
    values = np.full((2, 20, 100), 255, dtype=np.uint8)
    form = form_of(values, None, None)
    assert form.size == 64
    seen = pictures(values, form)
    assert seen.shape == (2, 64, 64, 1)
    assert seen[:, 32].min() > 250, "from edge to edge"
    assert seen[:, :20].max() < 5, "between black edges"


def test_the_model_of_a_run_can_be_saved_as_an_estimator(tmp_path, write_images):
    data = write_images(tmp_path / "pets", {"cat": 20, "dog": 20})
    run = api.train(str(data), settings={"max_params": 8000, "epochs": 1}, n_threads=1, out=tmp_path / "run")
    loaded = ImageClassifier.load(run.path)
    again = ImageClassifier.load(loaded.save(tmp_path / "saved"))
    X = np.random.default_rng(0).integers(0, 256, (5, loaded.n_features_in_), dtype=np.uint8)
    assert np.array_equal(loaded.predict_proba(X), again.predict_proba(X))


def test_saved_and_loaded_without_pickle(fitted, digits, tmp_path, monkeypatch, damaged):
    *_, X, _ = digits
    monkeypatch.setattr(pickle, "dumps", None)
    monkeypatch.setattr(pickle, "loads", None)
    folder = fitted.save(tmp_path / "saved")
    assert {file.name for file in folder.iterdir()} == {"estimator.json", "model.json", "model.safetensors"}
    loaded = ImageClassifier.load(folder)
    assert same(loaded, fitted, X)
    assert loaded.get_params() == fitted.get_params()
    assert (loaded.n_features_in_, loaded.seed_, loaded.history_) == (64, fitted.seed_, fitted.history_)
    with pytest.raises(ValueError, match="already holds something"):
        fitted.save(folder)
    damaged(folder / "estimator.json", schema="trialwise.image-classifier/9")
    with pytest.raises(UserError, match=r"expected an estimator of schema .*/1', got .*/9'\nhint: "):
        ImageClassifier.load(folder)
    damaged(folder / "estimator.json", schema="trialwise.image-classifier/1", fitted={"classes": [1]})
    with pytest.raises(UserError, match="is damaged"):
        ImageClassifier.load(folder)
    (folder / "model.safetensors").write_bytes(b"cos\nsystem\n")
    with pytest.raises(UserError, match=r"model\.safetensors"):
        ImageClassifier.load(folder)
    with pytest.raises(UserError, match="no such folder"):
        ImageClassifier.load(tmp_path / "nowhere")


def test_workers_get_it_by_pickle(fitted, digits):
    *_, X, _ = digits
    assert same(pickle.loads(pickle.dumps(fitted)), fitted, X)


def test_pipeline_cross_validation_and_grid(digits):
    X, y, *_ = digits
    pipeline = make_pipeline(MinMaxScaler(), ImageClassifier(**LEARNS | {"epochs": 5}))
    scores = cross_val_score(pipeline, X, y, cv=3, error_score="raise")
    assert scores.shape == (3,)
    assert scores.mean() > 0.4  # a tenth by chance
    grid = GridSearchCV(ImageClassifier(**TINY), {"epochs": np.array([1, 4])}, cv=2, error_score="raise").fit(X, y)
    assert grid.best_params_ == {"epochs": 4}
    assert grid.best_estimator_.classes_.tolist() == list(range(10))


@pytest.mark.slow
def test_workers_in_other_processes(digits):
    X, y, *_ = digits
    alone, together = (
        cross_val_score(ImageClassifier(**TINY), X, y, cv=2, n_jobs=n, error_score="raise") for n in (1, 2)
    )
    assert np.array_equal(alone, together)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"epochs": 0}, "^epochs: expected at least 1, got 0"),
        ({"learning_rate": -1.0}, "^learning_rate: expected more than 0"),
        ({"epochs": "many"}, "epochs: expected int, got 'many'"),
        ({"recipe": "best"}, "recipe: expected one of auto, cifar10_minute"),
        ({"settings": {"droput": 0.1}}, "(?s)unknown option 'droput'.*did you mean 'dropout'"),
        ({"settings": {"epochs": 3}}, "epochs is given both by its own name and in settings"),
        ({"settings": {"freeze": "body"}}, "nothing is trained yet"),
        ({"max_params": 10}, "the smallest network for 10 classes"),
        ({"n_threads": 0}, "n_threads: expected at least 1"),
        ({"image_shape": (8,)}, "image_shape: expected"),
    ],
)
def test_bad_parameters_are_value_errors_with_one_message(params, message, digits):
    X, y, *_ = digits
    with pytest.raises(ValueError, match=message):
        ImageClassifier(**TINY | params).fit(X, y)


def test_bad_data_is_a_value_error(fitted, digits):
    X, y, *_ = digits
    with pytest.raises(ValueError, match=r"63 features are no square image\nhint: image_shape="):
        ImageClassifier(**TINY).fit(X[:, :63], y)
    with pytest.raises(ValueError, match="class '7' has 1 sample"):
        ImageClassifier(**TINY).fit(X[y != 7][:100].tolist() + X[y == 7][:1].tolist(), [*y[y != 7][:100], 7])
    with pytest.raises(ValueError, match="too few, or too much alike"):
        ImageClassifier(**TINY).fit(np.ones((20, 64)), np.arange(20) % 2)
    with pytest.raises(ValueError, match=r"expected images of \(8, 8, 1\), got an array of shape \(5, 7, 7\)"):
        fitted.predict(np.zeros((5, 7, 7)))
    with pytest.raises(ValueError, match="expected arrays or a list of image files, got one path"):
        ImageClassifier(**TINY).fit(str(Path("photos")), None)


def test_pictures_laid_out_another_way_are_refused(digits, kept_cache):
    X, y, *_ = digits
    colour = np.repeat(np.asarray(X).reshape(len(X), 8, 8, 1), 3, axis=3)[:60]
    model = ImageClassifier(epochs=1, max_params=6000).fit(colour, y[:60])
    assert len(model.predict(colour[:2])) == 2
    with pytest.raises(ValueError, match="as in fit, got an array of shape"):
        model.predict(colour[:2].transpose(0, 3, 1, 2))
