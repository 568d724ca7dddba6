"""Where transcripts are looked for."""

from pathlib import Path

import pytest

from farthing.errors import BadInput
from farthing.sources.claude_code import discover
from farthing.sources.claude_code.discovery import files_under


def config(folder):
    (folder / "projects" / "p").mkdir(parents=True)
    (folder / "projects" / "p" / "s.jsonl").write_text("")
    return folder


def paths(roots):
    return [Path(root.path) for root in roots]


def test_the_usual_places_that_exist(tmp_path):
    home, xdg = tmp_path / "home", tmp_path / "xdg"
    config(home / ".claude")
    config(xdg / "claude")
    env = {"HOME": str(home), "XDG_CONFIG_HOME": str(xdg)}
    assert paths(discover(None, env)) == sorted([home / ".claude" / "projects", xdg / "claude" / "projects"])
    assert discover(None, {"HOME": str(tmp_path / "nobody")}) == []


def test_a_configured_list_replaces_the_usual_places(tmp_path):
    config(tmp_path / ".claude")
    one, two = config(tmp_path / "one"), config(tmp_path / "two")
    env = {"HOME": str(tmp_path), "CLAUDE_CONFIG_DIR": f"{one}, {two},"}
    assert paths(discover(None, env)) == [one / "projects", two / "projects"]


def test_a_folder_seen_through_a_link_or_inside_another_is_read_once(tmp_path):
    real = config(tmp_path / "real")
    (tmp_path / "link").symlink_to(real)
    roots = discover([tmp_path / "link", real, real / "projects" / "p"])
    assert paths(roots) == [real / "projects"]
    assert len(files_under(roots)[0]) == 1


def test_files_and_plain_folders_can_be_named(tmp_path):
    (tmp_path / "p").mkdir()
    file = tmp_path / "p" / "s.jsonl"
    file.write_text("")
    for named in (file, tmp_path / "p", tmp_path):
        (found,), errors = files_under(discover([named]))
        assert (found.path, found.project, found.session, errors) == (str(file), "p", "s", [])


@pytest.mark.parametrize("env", [None, {"CLAUDE_CONFIG_DIR": "/nowhere/at/all"}])
def test_a_named_place_that_does_not_exist_is_refused(env):
    with pytest.raises(BadInput, match="does not exist"):
        discover(["/nowhere/at/all"] if env is None else None, env)
