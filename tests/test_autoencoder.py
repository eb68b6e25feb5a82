import numpy as np
import pytest

from lib import silence

with silence.stderr():
    import keras

from lib import autoencoder

SIZE = {"length": 8, "batch_size": 16}


@pytest.fixture
def samples():
    return np.random.default_rng(2).normal(size=(120, 7)).astype(np.float32)


def small(seed=1):
    keras.utils.set_random_seed(seed)
    return autoencoder.build(sequence_length=8, encoding_dim=4)


def fit(model, samples, folder, epochs):
    return autoencoder.train(
        model,
        autoencoder.Batches(samples, np.arange(80), seed=5, **SIZE),
        autoencoder.Batches(samples, np.arange(90, 110), **SIZE),
        epochs=epochs,
        learning_rate=0.001,
        folder=folder,
    )


def test_the_default_model_has_the_shape_and_weights_promised():
    model = autoencoder.build()
    assert model.input_shape == model.output_shape == (None, 60, 7)
    assert model.count_params() == 264_327


def test_batches_hold_each_window_once_in_an_order_that_seed_and_epoch_decide(samples):
    def order(epoch):
        return autoencoder.Batches(samples, np.arange(40), seed=5, epoch=epoch, **SIZE).order

    batches = autoencoder.Batches(samples, np.arange(40), seed=5, **SIZE)
    given = np.concatenate([batches[i][0] for i in range(len(batches))])
    np.testing.assert_array_equal(given, [samples[row : row + 8] for row in batches.order])
    assert sorted(batches.order) == list(range(40))
    batches.on_epoch_end()
    np.testing.assert_array_equal(batches.order, order(1))
    assert (order(0) != order(1)).any()


def test_the_same_seed_trains_the_same_weights(samples, tmp_path):
    made = []
    for name in ("one", "two"):
        model = small()
        fit(model, samples, tmp_path / name, epochs=2)
        made.append(model.get_weights())
    for one, other in zip(*made, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_training_that_was_cut_off_goes_on_from_its_last_epoch(samples, tmp_path):
    fit(small(), samples, tmp_path / "cut", epochs=2)
    history = fit(small(seed=9), samples, tmp_path / "cut", epochs=4)
    whole = fit(small(), samples, tmp_path / "whole", epochs=4)
    assert [row["epoch"] for row in history] == [0, 1, 2, 3]
    # dropout draws anew after an interruption; beginning anew would be off by more than 1e-2
    np.testing.assert_allclose([row["loss"] for row in history], [row["loss"] for row in whole], rtol=2e-3)


def test_training_ends_with_its_best_weights(samples, tmp_path):
    model = small()
    history = fit(model, samples, tmp_path, epochs=3)
    first = np.arange(90, 110)
    error = autoencoder.feature_errors(model, samples, first, length=8, batch_size=7).mean()
    assert error == pytest.approx(min(row["val_loss"] for row in history), rel=1e-4)


def test_errors_of_short_windows_are_those_of_windows_padded_by_hand(samples):
    model, last = small(), np.array([30, 40])
    sets = {"some": np.arange(7) < 2}
    errors = autoencoder.errors_by_channel_set(model, samples, last, length=8, sizes=[3, 8], sets=sets)["some"]
    known = np.where(np.arange(7) < 2, samples, 0)
    padded = np.stack([np.concatenate([known[[row - 2]].repeat(5, axis=0), known[row - 2 : row + 1]]) for row in last])
    rebuilt = model.predict_on_batch(padded.astype(np.float32))
    expected = np.square(padded - rebuilt)[:, 5:, :2].mean(axis=(1, 2))
    np.testing.assert_allclose(errors[0], expected, rtol=1e-5)
    assert errors.shape == (2, 2)
