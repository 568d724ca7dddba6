"""Uploads are measured exactly, whatever is in them."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.sandbox.files import Files, read_form
from farthing.sandbox.messages import begin, count_tokens
from farthing.sandbox.problems import ApiError
from farthing.sandbox.tokenizer import file_tokens
from farthing.sandbox.world import World

EDGE = b"e5d7a1c0-boundary"


def form(content, name="file", more=b""):
    head = b'--%b\r\nContent-Disposition: form-data; name="%b"; filename="a b.pdf"\r\n'
    head += b"Content-Type: application/pdf\r\n\r\n"
    return more + head % (EDGE, name.encode()) + content + b"\r\n--%b--\r\n" % EDGE


@given(st.binary(max_size=300).filter(lambda content: EDGE not in content))
def test_a_file_is_as_long_as_it_is(content):
    field = b'--%b\r\nContent-Disposition: form-data; name="expires_in_seconds"\r\n\r\n60\r\n' % EDGE
    for body in (form(content), form(content, more=field)):
        found = read_form(f"multipart/form-data; boundary={EDGE.decode()}", body)
        assert found == ("a b.pdf", "application/pdf", content)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", form(b"x")),
        ("multipart/form-data; boundary=other", form(b"x")),
        (f"multipart/form-data; boundary={EDGE.decode()}", form(b"x", name="document")),
        (f"multipart/form-data; boundary={EDGE.decode()}", b""),
    ],
)
def test_another_body_is_a_400(content_type, body):
    with pytest.raises(ApiError) as caught:
        read_form(content_type, body)
    assert caught.value.status == 400


def test_a_file_belongs_to_its_workspace():
    world = World()
    files = Files(world)
    content_type = f'Multipart/Form-Data; boundary="{EDGE.decode()}"'
    mine = files.upload(world.caller, content_type, form(b"12345"))
    team = world.add_workspace("team")
    stranger = world.accounts.caller(world.add_key("sk-team", workspace_id=team.id, name="team"))
    assert files.owned_by(stranger) == []
    for look in (files.find, files.delete):
        with pytest.raises(ApiError) as caught:
            look(stranger, mine.id)
        assert caught.value.status == 404
    assert files.delete(world.caller, mine.id) == {"id": mine.id, "type": "file_deleted"}


PNG_1000 = b"\x89PNG\r\n\x1a\n" + b"\x00\x00\x00\rIHDR" + (1000).to_bytes(4) * 2 + b"\x08\x02\x00\x00\x00"


@pytest.mark.parametrize(
    ("mime_type", "content", "older", "newer"),
    [
        ("text/plain", "ä".encode() * 400, 100, 130),
        ("image/png", PNG_1000, 1296, 1296),  # facts 7.2: 36 by 36 patches
        ("application/pdf", b"%PDF <<tokens:1000/1300>>", 1000, 1300),
    ],
)
def test_a_file_counts_as_what_it_holds(mime_type, content, older, newer):
    assert (file_tokens(mime_type, content, "pre-4.7"), file_tokens(mime_type, content, "4.7")) == (older, newer)


@pytest.mark.parametrize("kind", ["document", "image"])
def test_a_message_counts_the_file_that_it_names_and_no_other(kind):
    world = World()
    file = world.files.upload(world.caller, f"multipart/form-data; boundary={EDGE.decode()}", form(b"<<tokens:777>>"))

    def ask(file_id):
        block = {"type": kind, "source": {"type": "file", "file_id": file_id}}
        messages = [{"role": "user", "content": [block]}]
        body = msgspec.json.encode({"model": "claude-sonnet-5", "max_tokens": 9, "messages": messages})
        headers = {"anthropic-version": "2023-06-01"}
        counted = count_tokens(world, world.caller, headers, body)
        return counted[0], counted[2], begin(world, world.caller, headers, body)

    status, counted, begun = ask(file.id)
    assert (status, counted) == (200, b'{"input_tokens":777}')
    assert begun.message()["usage"]["input_tokens"] == 777
    world.files.delete(world.caller, file.id)
    status, counted, refused = ask(file.id)
    assert (status, refused.status) == (404, 404)
    assert f"File not found: {file.id}".encode() in refused.body
