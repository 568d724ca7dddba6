"""What answers say of batches."""

import msgspec
import pytest

from farthing.gateway.meters import read_batch


def answer(**changes):
    ended = {"id": "msgbatch_01A", "type": "message_batch", "processing_status": "ended", "results_url": "https://x/"}
    return msgspec.json.encode(ended | changes)


def test_an_answer_about_a_batch():
    batch = read_batch(answer())
    assert (batch.id, batch.processing_status) == ("msgbatch_01A", "ended")
    assert read_batch(answer(type="message_batch_deleted")) is None


@pytest.mark.parametrize("odd", ["../../files", "x/results?", "x HTTP/1.1\r\nx: y", "x\n", "", "ü", "a" * 129, None, 1])
def test_an_id_that_is_none_makes_it_no_answer_about_a_batch(odd):
    assert read_batch(answer(id=odd)) is None
