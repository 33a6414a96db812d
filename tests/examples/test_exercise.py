"""The notebook of the exercise: as it is shipped, and each of its cells, run small."""

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

HOUSE = Path(__file__).parents[2]
NOTEBOOK = HOUSE / "examples" / "exercise.ipynb"
SMALL = "EPISODES, SEEDS, TRIALS, SEARCH_SEEDS, NEW_SEEDS = 25, 3, 3, 2, 2"


@pytest.fixture
def notebook():
    return nbformat.read(NOTEBOOK, as_version=4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def outputs(notebook):
    return [output for cell in code(notebook) for output in cell.outputs]


def test_it_is_shipped_as_it_ran_from_first_to_last(notebook):
    nbformat.validate(notebook)
    assert [cell.execution_count for cell in code(notebook)] == [
        number + 1 for number in range(len(code(notebook)))
    ]
    kinds = {output.output_type for output in outputs(notebook)}
    assert kinds == {"display_data", "execute_result", "stream"}
    streams = [output for output in outputs(notebook) if output.output_type == "stream"]
    assert {output.name for output in streams} == {"stdout"}  # no warning, no rest of a bar
    assert NOTEBOOK.stat().st_size < 3_000_000


def test_it_has_the_ten_steps(notebook):
    pages = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    titles = re.findall(r"^## (\d+)\. ", "\n".join(pages), re.MULTILINE)
    assert [int(title) for title in titles] == list(range(1, 11))


def test_it_installs_from_one_variable_or_says_what_to_do(notebook, tmp_path):
    cell = code(notebook)[0].source
    assert cell.startswith('SOURCE = "')
    source = re.sub(r'^SOURCE = "[^"]*"', f"SOURCE = {str(tmp_path / 'nothing')!r}", cell)
    lost = "import importlib.util\nimportlib.util.find_spec = lambda name: None\n"
    command = [sys.executable, "-c", lost + source]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    said = done.stderr.strip().splitlines()[-1]
    assert "could not be installed" in said
    assert "set SOURCE to the folder or address where it is" in said


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_every_cell_runs_small(notebook, tmp_path, monkeypatch):
    (parameters,) = (
        cell for cell in code(notebook) if "parameters" in cell.metadata.get("tags", ())
    )
    parameters.source = SMALL
    monkeypatch.setenv("PYTHONPATH", str(HOUSE))
    place = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources=place).execute()
    text = "\n".join(
        output.get("data", {}).get("text/markdown", "") for output in outputs(notebook)
    )
    assert "Of 3 seeds of `exercise`" in text
    assert "Around scaled rewards (39 settings, 2 seeds each)" in text
    assert "The setting: `" in text
    made = {path.name for path in (tmp_path / "outputs" / "runs").iterdir()}
    assert {"exercise", "scaled", "new_proposed"} <= made
