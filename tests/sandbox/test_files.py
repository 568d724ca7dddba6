"""Uploads are measured exactly, whatever is in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farthing.sandbox.files import Files, read_form
from farthing.sandbox.problems import ApiError
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
        assert found == ("a b.pdf", "application/pdf", len(content))


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
