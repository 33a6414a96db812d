"""seeds.csv after a spreadsheet, an editor or a careless hand: what is plain is taken for it."""

import csv
import io
import os
import shutil
from pathlib import Path

import pandas as pd
import pytest
from earlier import DATA, seeds_lines
from trainings import CONFIG, filled, pairs, read_seeds, result

from dqn.runtime.errors import RunError
from dqn.storage.results_dir import ResultsDir

KEYS = {(0, seed) for seed in range(3)}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    path = tmp_path_factory.mktemp("by_hand") / "run"
    returns = [[10.1 + seed, 20.7, 30.3 / 7] for seed in range(3)]
    filled(path, *(result(seed=s, returns=returns[s]) for s in range(3)))
    return path


@pytest.fixture
def path(made, tmp_path):
    """A run of three seeds, in this version's format."""
    shutil.copytree(made, tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def old(tmp_path):
    """The run of 0.1.0, whose parts keep checksums of lines and no lines."""
    shutil.copytree(DATA / "run", tmp_path / "old")
    return tmp_path / "old"


def edited(path: Path, change) -> None:
    """Have `change` edit the cells of seeds.csv, the header's first."""
    rows = list(csv.reader(io.StringIO((path / "seeds.csv").read_text())))
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(change(rows))
    (path / "seeds.csv").write_text(text.getvalue())


def cell(name: str, value: str, line: int = 1):
    """An edit of one cell."""

    def change(rows):
        rows[line][rows[0].index(name)] = value
        return rows

    return change


SPREADSHEET = {
    "windows line ends": lambda data: data.replace(b"\n", b"\r\n"),
    "a byte order mark": lambda data: b"\xef\xbb\xbf" + data,
    "old line ends": lambda data: data.replace(b"\n", b"\r"),
    "every cell in quotes": lambda data: (
        b"\n".join(
            b",".join(b'"%s"' % one for one in line.split(b",")) for line in data.splitlines()
        )
        + b"\n"
    ),
    "a comma at every end": lambda data: data.replace(b"\n", b",,\n"),
    "blank lines at the end": lambda data: data + b"\n\n",
    "lines of commas at the end": lambda data: data + b",,,,\n",
    "upper-case flags": lambda data: data.replace(b"False", b"FALSE"),
    "lower-case flags": lambda data: data.replace(b"False", b"false"),
    "flags as numbers": lambda data: data.replace(b",False,", b",0,"),
    "counts with a point": lambda data: data.replace(b",5000,", b",5000.0,"),
    "spaces around": lambda data: data.replace(b",", b" , "),
    "semicolons": lambda data: data.replace(b",", b";"),
    "semicolons and decimal commas": lambda data: data.replace(b",", b";").replace(b".", b","),
    "tabs": lambda data: data.replace(b",", b"\t"),
    "no end of the last line": lambda data: data[:-1],
}


@pytest.mark.parametrize("how", SPREADSHEET)
def test_another_way_to_write_the_table_is_the_table(path, how, capsys):
    before = read_seeds(path / "seeds.csv")
    whole = (path / "seeds.csv").read_bytes()
    (path / "seeds.csv").write_bytes(SPREADSHEET[how](whole))
    with ResultsDir(path, CONFIG) as folder:
        assert folder.finished() == KEYS == set(pairs(folder.episodes()))
        folder.add(result(seed=3))
    assert capsys.readouterr().err == ""
    assert not list(path.glob("*.damaged-*"))
    assert read_seeds(path / "seeds.csv")[:3] == before


@pytest.mark.parametrize("how", ["semicolons", "spaces around", "a comma at every end"])
def test_so_it_is_where_it_is_only_read(path, how):
    before = read_seeds(path / "seeds.csv")
    (path / "seeds.csv").write_bytes(SPREADSHEET[how]((path / "seeds.csv").read_bytes()))
    assert read_seeds(path / "seeds.csv") == before


def rounded(rows):
    """As a spreadsheet shows numbers, and saves what it shows."""
    for row in rows[1:]:
        for place, name in enumerate(rows[0]):
            if name in ("mean_return", "best_return", "final_return", "collapse"):
                row[place] = f"{float(row[place]):.9g}"
    return rows


def test_rounded_numbers_get_their_digits_back_and_it_is_said(path, capsys):
    whole = (path / "seeds.csv").read_text()
    edited(path, rounded)
    assert (path / "seeds.csv").read_text() != whole
    with ResultsDir(path, CONFIG) as folder:
        assert folder.finished() == KEYS
    assert "restored from episodes.parquet" in capsys.readouterr().err
    assert (path / "seeds.csv").read_text() == whole
    with ResultsDir(path, CONFIG):
        assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("change", "text"), [(rounded, 1), (cell("seconds", "7.5"), 1), (cell("lr", "1.00E-03"), 0)]
)
def test_a_line_of_an_earlier_version_whose_metrics_follow_is_kept_and_said_once(
    old, capsys, change, text
):
    edited(old, change)
    kept = pd.read_csv(old / "seeds.csv")
    with ResultsDir(old, config_of(old)) as folder:
        assert folder.finished() == KEYS == set(pairs(folder.episodes()))
    assert capsys.readouterr().err.count("\n") == text
    rows = read_seeds(old / "seeds.csv")
    assert [row["seconds"] for row in rows] == kept["seconds"].tolist()
    assert rows[0]["mean_return"] == 29.333333333333332
    with ResultsDir(old, config_of(old)):
        assert capsys.readouterr().err == ""


def config_of(folder):
    from dqn.config import Config
    from dqn.storage.manifest import CONFIG, read_config

    return Config.from_mapping(read_config(folder / CONFIG) or {})


@pytest.mark.parametrize(
    ("name", "value"), [("mean_return", "30.5"), ("solved_at", "3"), ("lr", "0.002")]
)
def test_what_an_earlier_version_has_proof_of_is_restored(old, capsys, name, value):
    """The checksum of the whole line proves what episodes and configuration say of it."""
    edited(old, cell(name, value))
    with ResultsDir(old, config_of(old)) as folder:
        assert folder.finished() == KEYS
    assert "the line of trial 0 seed 0 must be as it was written" in capsys.readouterr().err
    assert seeds_lines(old, "run") == (DATA / "run" / "seeds.csv").read_text().splitlines()


def test_what_nothing_proves_is_set_aside_with_its_episodes(old, capsys):
    edited(old, lambda rows: cell("mean_return", "99.0")(cell("test_return", "3.0")(rows)))
    edits = (old / "seeds.csv").read_bytes()
    with ResultsDir(old, config_of(old)) as folder:
        assert folder.finished() == {(0, 1), (0, 2)}
    text = capsys.readouterr().err
    assert text.count("\n") == 2
    (line,) = old.glob("seeds.csv.damaged-*")
    (part,) = old.glob("part-00000.parquet.damaged-*")
    assert line.read_bytes() == edits
    assert line.name in text
    assert part.name in text
    assert len(pd.read_parquet(part)) == 36


@pytest.mark.parametrize("left", [None, b"", b"trial,se"])
def test_a_lost_seeds_csv_comes_back_from_the_episodes(path, capsys, left):
    whole = (path / "seeds.csv").read_bytes()
    (path / "seeds.csv").unlink()
    if left is not None:
        (path / "seeds.csv").write_bytes(left)
    with ResultsDir(path, CONFIG) as folder:
        assert folder.finished() == KEYS
    assert "is lost; restored from episodes.parquet" in capsys.readouterr().err
    assert (path / "seeds.csv").read_bytes() == whole


def test_a_lost_seeds_csv_of_an_earlier_version_costs_no_episode(old, capsys):
    (old / "seeds.csv").unlink()
    with ResultsDir(old, config_of(old)) as folder:
        assert folder.finished() == set()
    (aside,) = old.glob("part-00000.parquet.damaged-*")
    assert aside.name in capsys.readouterr().err
    assert len(pd.read_parquet(aside)) == 36


@pytest.mark.parametrize("name", ["trial", "seed", "status", "lr", "mean_return"])
def test_a_column_that_was_removed_is_back(path, name, capsys):
    whole = (path / "seeds.csv").read_bytes()
    without_column(path, name)
    with ResultsDir(path, CONFIG) as folder:
        assert folder.finished() == KEYS
    assert f"line 1: the columns must be those of seeds.csv; missing: {name}; restored" in (
        capsys.readouterr().err
    )
    assert (path / "seeds.csv").read_bytes() == whole


@pytest.mark.parametrize("name", ["trial", "seed", "status"])
def test_a_header_of_an_earlier_version_that_cannot_be_understood_is_refused_and_left(old, name):
    without_column(old, name)
    before = {file: file.read_bytes() for file in old.rglob("*") if file.is_file()}
    with pytest.raises(RunError, match=r"line 1: .*missing: .*; it is left as it is: [^\n]*$"):
        ResultsDir(old, config_of(old))
    after = {file: file.read_bytes() for file in old.rglob("*") if file.is_file()}
    del after[old / ".lock"]
    assert after == before


def without_column(path, name):
    edited(path, lambda rows: [[c for c, n in zip(row, rows[0], strict=True) if n != name]
                               for row in rows])  # fmt: skip


def test_a_damaged_name_in_the_header_is_restored(path, capsys):
    whole = (path / "seeds.csv").read_bytes()
    (path / "seeds.csv").write_bytes(whole.replace(b"test_return", b"tast_raturn", 1))
    with ResultsDir(path, CONFIG) as folder:
        assert folder.finished() == KEYS
    assert "line 1: the columns must be" in capsys.readouterr().err
    assert (path / "seeds.csv").read_bytes() == whole


def test_a_column_of_ones_own_is_set_aside_and_the_order_is_none(path, capsys):
    whole = (path / "seeds.csv").read_bytes()
    edited(path, lambda rows: [[*row[::-1], "note" if row is rows[0] else "9"] for row in rows])
    with ResultsDir(path, CONFIG) as folder:
        assert folder.finished() == KEYS
    assert (path / "seeds.csv").read_bytes() == whole
    (aside,) = path.glob("seeds.csv.damaged-*")
    assert aside.name in capsys.readouterr().err
    assert b"note" in aside.read_bytes()


@pytest.mark.timeout(60)
def test_no_pipe_is_waited_for(path):
    (path / "seeds.csv").unlink()
    os.mkfifo(path / "seeds.csv")
    with pytest.raises(RunError, match=r"seeds\.csv: must be a file, is none; move it away"):
        ResultsDir(path, CONFIG)
