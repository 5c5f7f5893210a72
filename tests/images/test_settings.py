import pytest

from trialwise.base.errors import UserError
from trialwise.base.settings import fill, flat
from trialwise.images.settings import TrainSettings, epochs_for_tuning, first_rung_epochs, resolve, search_space
from trialwise.tuning.spaces import Choice, space_from_document


def settings(**values):
    return fill(TrainSettings, values)


def test_what_is_left_open_follows_from_the_data():
    cifar = resolve(TrainSettings(), n_train=50_000, image_size=32, channels=3)
    assert (cifar.epochs, cifar.batch_size, cifar.augment.shift, cifar.augment.flip, cifar.valid_fraction) == (
        10,
        250,
        2,
        "on",
        0.1,
    )
    digits = resolve(TrainSettings(), n_train=1438, image_size=8, channels=1)
    assert (digits.epochs, digits.augment.shift, digits.augment.flip, digits.valid_fraction) == (40, 1, "off", 0.2)
    assert resolve(TrainSettings(), n_train=40, image_size=8, channels=1).batch_size == 10
    assert (cifar.learning_rate, digits.learning_rate) == (0.1, 0.03)
    small = {
        name: resolve(settings(optimizer=name), n_train=9_999, image_size=32, channels=3) for name in ("muon", "sgd")
    }
    assert (small["muon"].learning_rate, small["sgd"].learning_rate) == (0.15, 0.1)
    assert first_rung_epochs(cifar, 50_000) == 1
    assert first_rung_epochs(digits, 1438) == 4
    few = resolve(TrainSettings(epochs=2), n_train=40, image_size=8, channels=1)
    assert first_rung_epochs(few, 40) == 1
    nine = resolve(TrainSettings(epochs=9), n_train=600, image_size=8, channels=1)
    assert first_rung_epochs(nine, 600) == 2  # 15 steps an epoch
    assert first_rung_epochs(nine, 60) == 3


def test_batches_are_small_enough_for_2000_steps_down_to_64():
    def batch_size(n_train, epochs=None, **given):
        return resolve(settings(epochs=epochs, **given), n_train=n_train, image_size=32, channels=3).batch_size

    assert [batch_size(n) for n in (50_000, 12_500, 10_000, 5_000, 1_437, 600, 300, 40)] == [
        *(250, 250, 125),
        *(64, 64, 32, 16, 10),
    ]
    assert [batch_size(8_000, epochs) for epochs in (4, 18, 40, 100)] == [64, 64, 125, 250]
    assert [batch_size(50_000, epochs) for epochs in (2, 6, 10)] == [64, 125, 250]
    assert batch_size(8_000, 4, batch_size=200) == 200


def test_long_trainings_of_many_images_change_them_more():
    def augment(epochs, n_train, **given):
        return resolve(settings(epochs=epochs, **given), n_train=n_train, image_size=32, channels=3).augment

    assert [(augment(n, 50_000).shift, augment(n, 50_000).cutout) for n in (15, 16)] == [(2, 0), (4, 12)]
    assert (augment(40, 9_000).shift, augment(40, 9_000).cutout) == (2, 0)
    assert (augment(16, 50_000, shift=1, cutout=0).shift, augment(16, 50_000, shift=1, cutout=0).cutout) == (1, 0)
    small, large = (augment(16, 50_000, max_params=n) for n in (99_999, 100_000))
    assert [(one.shift, one.cutout) for one in (small, large)] == [(2, 0), (4, 12)]


def test_what_is_given_stays():
    given = settings(epochs=3, batch_size=7, shift=0, flip="off", valid_fraction=0.3)
    assert resolve(given, n_train=50_000, image_size=32, channels=3) == resolve(
        given, n_train=50_000, image_size=32, channels=1
    )
    kept = resolve(given, n_train=50_000, image_size=32, channels=3)
    assert (kept.epochs, kept.batch_size, kept.augment.shift, kept.augment.flip, kept.valid_fraction) == (
        3,
        7,
        0,
        "off",
        0.3,
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_params", 0),
        ("epochs", 0),
        ("batch_size", 1),
        ("learning_rate", 0.0),
        ("weight_decay", -1.0),
        ("dropout", 1.0),
        ("valid_fraction", 0.9),
        ("image_size", 4),
        ("width", 2.0),
    ],
)
def test_a_setting_out_of_range_is_refused_by_its_option(field, value):
    with pytest.raises(UserError, match=f"--{field.replace('_', '-')}: expected"):
        settings(**{field: value})


@pytest.mark.parametrize("n_train", [30, 1438, 50_000])
def test_the_default_lies_in_the_space(n_train):
    given = settings(learning_rate=0.9, width=0.6, weight_decay=0.0)
    default = resolve(given, n_train=n_train, image_size=32, channels=3)
    for name, parameter in space_from_document(search_space(default, n_train)).items():
        value = flat(default)[name]
        if isinstance(parameter, Choice):
            assert value in parameter.choices
        else:
            assert parameter.low <= value <= parameter.high


def test_full_trials_are_shorter_on_more_images():
    assert [epochs_for_tuning(n) for n in (1_000, 20_000, 50_000)] == [27, 15, 6]


def test_a_shift_leaves_something_of_the_image():
    with pytest.raises(UserError, match="--shift 8: expected less than 8"):
        resolve(settings(shift=8), n_train=100, image_size=8, channels=1)
    assert resolve(settings(shift=7), n_train=100, image_size=8, channels=1).augment.shift == 7
