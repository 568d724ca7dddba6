import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.usage.messages import read_message
from farthing.usage.surrogates import without_lone_surrogates

LONE = [rb"\ud83d", rb"\uDE00 x", rb"\ud83d\ud83d\ude00", rb"\\\ud83d"]
BODY = b'{"model":"claude-opus-5","content":[{"type":"text","text":"%s"}],"usage":{"input_tokens":7,"output_tokens":2}}'


@pytest.mark.parametrize("text", LONE)
def test_half_an_emoji_in_a_text_does_not_lose_the_counts_beside_it(text):
    served = read_message(BODY % text)
    assert (served.usage.input_tokens, served.usage.output_tokens) == (7, 2)


@pytest.mark.parametrize("text", [rb'"\ud83d\ude00"', rb'"\\ud83d"', rb'"\n\u00e9"', b'"plain"'])
def test_whole_pairs_and_escaped_backslashes_stay_as_they_are(text):
    assert without_lone_surrogates(text) == text


@given(st.text(alphabet=st.characters(codec=None), max_size=20))
def test_what_python_writes_is_mended_to_what_strict_decoders_take(text):
    read_back = json.loads(json.dumps(text))
    expected = "".join("�" if "\ud800" <= character <= "\udfff" else character for character in read_back)
    assert json.loads(without_lone_surrogates(json.dumps(text).encode())) == expected
