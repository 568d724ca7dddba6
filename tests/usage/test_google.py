"""Google Cloud: Anthropic's shapes; the URL knows the rest."""

from __future__ import annotations

import pytest

from farthing.call import Usage
from farthing.errors import BadInput
from farthing.usage.google import known_from_path, read_raw_predict, stream_meter
from farthing.usage.interface import Known

BODY = {"model": "claude-sonnet-4-5-20250929", "usage": {"input_tokens": 5, "output_tokens": 7}}
PATH = "/v1/projects/p/locations/us-east5/publishers/anthropic/models/claude-sonnet-4-5@20250929:streamRawPredict"


def test_the_path_names_the_priced_id_and_the_location():
    known = known_from_path(PATH)
    assert known == Known(model="claude-sonnet-4-5@20250929", channel="google_cloud", location="us-east5")
    assert known_from_path(PATH.replace("streamRawPredict", "rawPredict?alt=sse")) == known

    served = read_raw_predict(BODY, known)
    assert (served.model, served.channel, served.location) == (known.model, "google_cloud", "us-east5")
    assert served.usage == Usage(5, output_tokens=7)


@pytest.mark.parametrize("path", ["", PATH.replace("anthropic", "google"), PATH.partition(":")[0]])
def test_another_path_is_refused(path):
    with pytest.raises(BadInput, match="path of a Google Cloud call"):
        known_from_path(path)


def test_a_stream_is_read_on_its_channel():
    meter = stream_meter(known_from_path(PATH))
    meter.feed(
        b'data: {"type":"message_start","message":{"model":"x","usage":{"input_tokens":5,"output_tokens":1}}}\n\n'
    )
    meter.feed(b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":7}}\n\n')
    served = meter.finish()
    assert (served.channel, served.model, served.usage) == (
        "google_cloud",
        "claude-sonnet-4-5@20250929",
        Usage(5, output_tokens=7),
    )
