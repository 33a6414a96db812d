"""A folder of a version that did not have a metric yet: it follows from the episodes, unsaid."""

import csv
import shutil

import pandas as pd
import pytest
from earlier import DATA
from trainings import CONFIG, filled, result

from dqn.config import Config
from dqn.statistics.metrics import METRICS, metrics_of
from dqn.storage.episodes import read_part, write_part
from dqn.storage.manifest import CONFIG as CONFIG_YAML
from dqn.storage.manifest import read_config
from dqn.storage.reader import read
from dqn.storage.results_dir import ResultsDir

LATER = "collapse"


@pytest.fixture
def path(tmp_path):
    """A run of three seeds by a version without one of the metrics, and `whole` by this one."""
    path = tmp_path / "run"
    filled(path, *(result(seed=s, returns=[10.0 + s, 90.0, 20.0] * 5) for s in range(3)))
    shutil.copytree(path, tmp_path / "whole")
    frame = pd.read_csv(path / "seeds.csv", dtype=str, keep_default_na=False)
    frame.drop(columns=LATER).to_csv(path / "seeds.csv", index=False)
    for part in (path / "episodes.parquet").iterdir():
        table, rows = read_part(part)
        for row in rows.values():
            del row[LATER]
        write_part(part, table, rows)
    return path


def lost(path):
    (path / "seeds.csv").unlink()


def damaged(path):
    data = (path / "seeds.csv").read_bytes()
    (path / "seeds.csv").write_bytes(data.replace(b"\n0,1,CartPole", b"\n0,1,Cart\x00ole"))


def rounded(path):
    text = (path / "seeds.csv").read_text()
    (path / "seeds.csv").write_text(text.replace("40.333333333333336", "40.33333333"))


def as_it_is(path):
    pass


@pytest.mark.parametrize("change", [as_it_is, lost, damaged, rounded])
def test_it_is_added_to_rows_as_they_were_and_to_those_that_are_restored(path, capsys, change):
    change(path)
    before = (path.parent / "whole" / "seeds.csv").read_text()
    with ResultsDir(path, CONFIG) as folder:
        assert len(folder.finished()) == 3
    assert ("seeds.csv" in capsys.readouterr().err) == (change is not as_it_is)
    assert (path / "seeds.csv").read_text() == before
    (path / "seeds.csv").unlink()
    with ResultsDir(path, CONFIG):
        assert (path / "seeds.csv").read_text() == before  # by now the parts have it, too
    capsys.readouterr()


def test_who_only_reads_computes_it_and_writes_nothing(path):
    before = (path / "seeds.csv").read_bytes()
    whole = read(path.parent / "whole")
    assert read(path).rows == whole.rows
    assert (path / "seeds.csv").read_bytes() == before
    shutil.rmtree(path / "episodes.parquet")
    assert [row[LATER] for row in read(path).rows[0]] == [None] * 3


@pytest.mark.parametrize("kind", ["run", "grid", "study"])
def test_metrics_that_0_1_0_did_not_have_follow_from_its_episodes(tmp_path, capsys, kind):
    path = tmp_path / kind
    shutil.copytree(DATA / kind, path)
    config = Config.from_mapping(read_config(path / CONFIG_YAML) or {})
    old = list(csv.DictReader((path / "seeds.csv").read_text().splitlines()))
    swept = [name for name in old[0] if name.startswith("env.")]
    with ResultsDir(path, config, swept=swept) if kind == "run" else _opened(path, config) as open_:
        episodes = open_.episodes().groupby(["trial", "seed"])
    assert capsys.readouterr().err == ""
    new = list(csv.DictReader((path / "seeds.csv").read_text().splitlines()))
    assert [{name: row[name] for name in old[0]} for row in new] == old
    later = [name for name in METRICS if name not in old[0]]
    for row in new:
        own = episodes.get_group((int(row["trial"]), int(row["seed"])))
        expected = metrics_of(own["return"], own["length"], 195.0)
        assert [float(row[name]) for name in later] == [expected[name] for name in later]


def _opened(path, config):
    from dqn.storage.manifest import SWEEP, read_sweep

    sweep = read_sweep(path / SWEEP)
    return ResultsDir(path, config, {k: v for k, v in sweep.items() if k != "identity"})
