"""components.yaml: which components of one's own a folder was trained with, and which source."""

import hashlib
import sys

import pytest

from dqn.config import Config
from dqn.storage import components


def digest(own_module):
    return hashlib.sha256(own_module.file.read_bytes()).hexdigest()


def edit(own_module):
    own_module.write(own_module.file.read_text() + "# edited\n")


def test_each_component_is_on_record_with_its_source_and_a_change_is_said_once(
    own_module, tmp_path
):
    path = own_module["Same"]
    configs = [Config(), Config(network=path), Config(network=path, optimizer=own_module["SIGN"])]
    first = digest(own_module)
    assert components.record(tmp_path, configs) == []
    assert components.record(tmp_path, configs) == []
    assert components.changed(tmp_path, configs[1]) == []
    edit(own_module)
    (line,) = components.changed(tmp_path, configs[1])
    assert line == (
        f"the source of {path} was SHA-256 {first[:12]}… and is SHA-256 {digest(own_module)[:12]}…"
    )
    lines = components.record(tmp_path, configs[:2])
    assert len(lines) == 1
    assert lines[0].startswith(f"{path} has changed since it was last trained here: ")
    assert components.record(tmp_path, configs[:2]) == []
    known = components.read(tmp_path)
    assert [entry["sha256"] for entry in known[path]] == [first, digest(own_module)]
    assert [entry["sha256"] for entry in known[own_module["SIGN"]]] == [first]
    assert components.changed(tmp_path, configs[1]) == [f"2 sources of {path} are on record"]


def test_without_a_component_of_ones_own_there_is_no_file(tmp_path):
    assert components.record(tmp_path, [Config()]) == []
    assert list(tmp_path.iterdir()) == []
    assert components.changed(tmp_path, Config()) == []


@pytest.mark.parametrize("text", ["", "[1]", "a: [b", "a: 1", "a: [1]\nb:\n- sha256: x"])
def test_a_record_that_was_damaged_is_as_good_as_none(own_module, tmp_path, text):
    (tmp_path / components.FILE).write_text(text)
    config = Config(network=own_module["Same"])
    assert components.changed(tmp_path, config) == [
        f"no source of {own_module['Same']} is on record"
    ]
    assert components.record(tmp_path, [config]) == []
    assert components.read(tmp_path)[own_module["Same"]][0]["sha256"] == digest(own_module)


def test_a_record_is_read_without_the_module(own_module, tmp_path, monkeypatch):
    components.record(tmp_path, [Config(network=own_module["Same"])])
    own_module.forget()
    monkeypatch.setitem(sys.modules, own_module.name, None)
    assert list(components.read(tmp_path)) == [own_module["Same"]]
