from concurrent.futures import ThreadPoolExecutor

import numpy as np
from conftest import SCALER, life

from lib.detector import descriptors, features, windows
from lib.detector.descriptors import NAMES
from lib.detector.detector import Detector


def test_a_window_is_described_by_what_it_rests_on_alone():
    samples = life(200)
    raw = windows.gather(samples, np.array([0, 50]), length=60, size=np.array([60, 20]))
    scaled = features.scale(raw, SCALER)
    form = {"interval_s": 5, "curve": np.zeros(8)}
    both = descriptors.describe(raw, scaled, scaled + 1, size=np.array([60, 20]), **form)
    alone = descriptors.describe(raw[1:, -20:], scaled[1:, -20:], scaled[1:, -20:] + 1, size=np.array([20]), **form)
    np.testing.assert_allclose(both[1], alone[0])
    errors = both[:, NAMES.index("error of heartRate")]
    np.testing.assert_allclose(errors, np.log(1 + 1e-4))
    np.testing.assert_allclose(both[:, NAMES.index("error of changes of heartRate")], np.log(1e-4), atol=1e-6)


def test_threads_and_one_loop_describe_the_same_windows_in_the_same_order(export):
    describer, samples, first = Detector.load(export).describer, life(400), np.arange(340)
    loop = describer.describe(samples, first)
    with ThreadPoolExecutor(3) as threads:
        together = describer.describe(samples, first, map_batches=threads.map)
    for one, other in zip(loop, together, strict=True):
        np.testing.assert_array_equal(one, other)
