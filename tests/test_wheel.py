"""What the installed package has beside its modules: the page's parts, and what is vendored."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[1]
VENDORED = HOUSE / "sweeps" / "report" / "vendored"


def test_a_vendored_file_says_its_version_and_has_its_licence_beside_it():
    (script,) = VENDORED.glob("*.js")
    name, version = re.fullmatch(r"plotly-(\w+)-([\d.]+)\.min\.js", script.name).groups()
    head = script.read_text(encoding="utf-8")[:300]
    assert f"plotly.js ({name} - minified) v{version}\n" in head
    licence = (VENDORED / f"plotly-{name}-{version}.LICENSE").read_text()
    assert licence.startswith("MIT License")
    assert "Plotly" in licence
    assert len([*VENDORED.iterdir()]) == 2


def test_the_wheel_has_the_page_and_what_is_vendored(tmp_path):
    pytest.importorskip("hatchling", reason="no hatchling: pip install -e '.[test]'")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=HOUSE, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        names = packed.namelist()
        for path in (*VENDORED.iterdir(), *(HOUSE / "sweeps" / "report").glob("page.*")):
            name = path.relative_to(HOUSE).as_posix()
            assert packed.read(name) == path.read_bytes()
    licences = {name.partition("/licenses/")[2] for name in names if "/licenses/" in name}
    assert licences == {
        "LICENSE",
        *(path.relative_to(HOUSE).as_posix() for path in VENDORED.glob("*.LICENSE")),
    }
