"""The handmade model, and its answers."""

import pytest
import small_model
from answer import answer_body
from request import parse


@pytest.fixture(scope="module")
def handmade(tmp_path_factory):
    return small_model.detector(tmp_path_factory.mktemp("model"))


@pytest.fixture
def ask(handmade):
    """Answer readings of interval counters, or an envelope, and return the body."""

    def body(readings, detector=handmade, **options):
        request = readings if "metrics" in readings[0] else {"metrics": readings, "counters": "interval", **options}
        return answer_body(parse(request, interval_s=detector.interval_s), detector)[0]

    return body
