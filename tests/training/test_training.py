"""Training: that it repeats itself, and that an interruption changes nothing."""

import functools

import numpy as np
import pytest

from lib import silence

with silence.stderr():
    import keras

from lib.training import autoencoder, training

SIZE = {"length": 8, "batch_size": 16}
RATE = 0.001


@pytest.fixture(scope="module")
def samples():
    return np.random.default_rng(2).normal(size=(120, 7)).astype(np.float32)


def small(seed=1):
    """A model that compiles at once: training knows of no layer but dropout."""
    keras.utils.set_random_seed(seed)
    layers = [keras.layers.Dense(5), keras.layers.Dropout(0.2), keras.layers.Dense(7)]
    return keras.Sequential([keras.Input((8, 7)), *layers])


def fit(model, samples, folder, epochs, **settings):
    return training.train(
        model,
        training.Batches(samples, np.arange(80), seed=5, **SIZE),
        training.Batches(samples, np.arange(90, 110), **SIZE),
        epochs=epochs,
        learning_rate=RATE,
        folder=folder,
        **settings,
    )


class CutOff(keras.callbacks.Callback):
    """Interrupts training in its epoch number `epoch`, from 1, after its third batch of five."""

    def __init__(self, epoch):
        super().__init__()
        self.left = 5 * (epoch - 1) + 3

    def on_train_batch_end(self, batch, logs=None):
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


def fit_until_cut_off(model, samples, folder, epochs, *, epoch):
    with pytest.raises(KeyboardInterrupt):
        fit(model, samples, folder, epochs, callbacks=[CutOff(epoch)])


def assert_same(one, other):
    for mine, theirs in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_batches_hold_the_samples_themselves_and_a_batch_of_them_alone():
    samples = np.arange(700_000, dtype=np.float32).reshape(100_000, 7)
    batches = training.Batches(samples, np.arange(0, 99_000, 2), **SIZE | {"length": 60, "batch_size": 8})
    assert np.shares_memory(batches.samples, samples)
    held = [value for value in vars(batches).values() if isinstance(value, np.ndarray)]
    assert sum(value.nbytes for value in held if value is not batches.samples) < samples.nbytes  # row numbers
    assert batches[3][0].shape == (8, 60, 7)
    assert np.shares_memory(*batches[3])


def test_batches_hold_each_window_once_in_an_order_that_seed_and_epoch_decide(samples):
    batches = training.Batches(samples, np.arange(40), seed=5, **SIZE)
    given = np.concatenate([batches[i][0] for i in range(len(batches))])
    np.testing.assert_array_equal(given, [samples[row : row + 8] for row in batches.order])
    assert sorted(batches.order) == list(range(40))
    first = batches.order
    batches.begin(1)
    assert (first != batches.order).any()
    batches.begin(0)
    np.testing.assert_array_equal(first, batches.order)


def test_augmented_batches_are_varied_anew_each_epoch_and_the_same_again(samples):
    plain, one, other = (training.Batches(samples, np.arange(40), seed=5, augment=a, **SIZE) for a in (0, 1, 1))
    other[1]
    np.testing.assert_array_equal(one[0][0], other[0][0])
    assert (one[0][0] != plain[0][0]).any()
    np.testing.assert_array_equal(*one[0])
    for batches in (plain, one):
        batches.begin(1)
    moved = one[0][0][:, :, 0] - plain[0][0][:, :, 0]
    one.begin(0)
    plain.begin(0)
    assert (moved != one[0][0][:, :, 0] - plain[0][0][:, :, 0]).any()


def test_a_varied_window_is_moved_in_heart_rate_and_clock_alone_by_as_much_throughout():
    hour = 2 * np.pi / 24 * np.array([23.0, 23.5])
    window = np.array([[[1.0, 2, 3, 4, np.sin(at), np.cos(at), 0] for at in hour]]).repeat(2000, axis=0)
    found = training.varied(window, np.random.default_rng(1))
    moved = found[..., 0] - window[..., 0]
    np.testing.assert_allclose(moved[:, 0], moved[:, 1])
    assert moved.std() == pytest.approx(training.HEART_RATE, rel=0.05)
    np.testing.assert_array_equal(found[..., [1, 2, 3, 6]], window[..., [1, 2, 3, 6]])
    hours = np.arctan2(found[..., 4], found[..., 5]) * 24 / 2 / np.pi
    np.testing.assert_allclose(np.hypot(found[..., 4], found[..., 5]), 1)
    np.testing.assert_allclose((hours[:, 1] - hours[:, 0]) % 24, 0.5)
    turned = (hours[:, 0] - 23 + 12) % 24 - 12
    assert -3 <= turned.min() < -2.9
    assert 2.9 < turned.max() <= 3


def test_the_same_seed_trains_the_same_weights_whatever_was_drawn_before(samples, tmp_path):
    one, other = small(), small()
    fit(one, samples, tmp_path / "one", epochs=2)
    keras.random.uniform((3,))
    fit(other, samples, tmp_path / "other", epochs=2)
    assert_same(one, other)


@pytest.fixture(scope="module")
def whole(samples, tmp_path_factory):
    """The history of four epochs without a break, and the model they leave."""
    model = small()
    return fit(model, samples, tmp_path_factory.mktemp("whole"), epochs=4), model


def test_a_training_that_was_cut_off_goes_on_as_if_it_had_not_been(samples, tmp_path, whole, capsys):
    history, model = whole
    fit_until_cut_off(small(), samples, tmp_path, epochs=4, epoch=3)
    resumed = small(seed=9)
    assert fit(resumed, samples, tmp_path, epochs=4) == history
    assert_same(resumed, model)
    assert "resuming after epoch 2 of 4\n" in capsys.readouterr().err


def test_an_epoch_cut_off_before_its_record_is_trained_again(samples, tmp_path, whole, monkeypatch):
    history, _ = whole
    fit_until_cut_off(small(), samples, tmp_path, epochs=4, epoch=3)
    with monkeypatch.context() as patched:
        patched.setattr(training.files, "write_json", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            fit(small(), samples, tmp_path, epochs=4)
    assert (tmp_path / "epoch-3.weights.h5").exists()
    assert fit(small(), samples, tmp_path, epochs=4) == history


def test_a_training_that_had_ended_is_not_trained_on(samples, tmp_path, whole):
    done = fit(small(), samples, tmp_path, epochs=2)
    again = small(seed=9)
    assert fit(again, samples, tmp_path, epochs=2, callbacks=[CutOff(1)]) == done


def test_the_learning_rate_rises_for_a_tenth_of_the_steps_and_falls_to_0_at_the_last():
    rate = training.schedule(0.004, steps=100)
    at = [float(rate(step)) for step in (0, 5, 10, 55, 100)]
    np.testing.assert_allclose(at, [0.0004, 0.0022, 0.004, 0.002, 0], atol=1e-9)


@pytest.mark.parametrize("steps", [1, 2])
def test_the_shortest_training_learns_too(steps):
    rate = training.schedule(0.004, steps=steps)
    assert all(float(rate(step)) > 0 for step in range(steps))


def test_the_history_holds_the_learning_rate_that_each_epoch_ends_with(whole):
    history, _ = whole
    rate = training.schedule(RATE, steps=20)
    assert [row["learning_rate"] for row in history] == [
        pytest.approx(float(rate(s)), abs=1e-9) for s in (5, 10, 15, 20)
    ]


def test_training_ends_with_its_best_weights_and_keeps_those_and_the_last(samples, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "best", lambda history: 1)
    model = small()
    history = fit(model, samples, tmp_path, epochs=3)
    error = autoencoder.feature_errors(model, samples, np.arange(90, 110), length=8, batch_size=7).mean()
    assert error == pytest.approx(history[0]["val_loss"], rel=1e-4)
    assert {path.name for path in tmp_path.glob("*.h5")} == {"epoch-1.weights.h5", "epoch-3.weights.h5"}


def test_a_loss_that_is_not_finite_stops_training_and_says_what_may_help(samples, tmp_path):
    with pytest.raises(ValueError, match=r"expected finite losses, got .*nan.* after epoch 1"):
        fit(small(), np.where(samples > 2, np.nan, samples), tmp_path, epochs=2)
    assert not (tmp_path / "history.json").exists()


def test_where_bars_are_off_there_is_a_line_an_epoch(samples, tmp_path, monkeypatch, capsys):
    fit(small(), samples, tmp_path / "bar", epochs=2)
    assert "\repoch 2 of 2" in capsys.readouterr().err
    monkeypatch.setattr(training, "tqdm", functools.partial(training.tqdm, disable=True))
    fit(small(), samples, tmp_path / "log", epochs=2)
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(": loss ")[0] for line in lines] == ["epoch 1 of 2", "epoch 2 of 2"]


def test_the_key_is_another_for_other_data_settings_or_libraries(tmp_path, monkeypatch):
    table = tmp_path / "health_metrics.csv"
    table.write_text("70,1\n")
    made = [training.key([table], seed=1), training.key([table], seed=1), training.key([table], seed=2)]
    table.write_text("70,2\n")
    made.append(training.key([table], seed=1))
    monkeypatch.setattr(training.run, "versions", lambda: {"keras": "4"})
    made.append(training.key([table], seed=1))
    assert made[0] == made[1]
    assert len(set(made)) == 4
