"""Nothing that this program did not make is removed, replaced or written to."""

import os
import shutil

import pytest
from commands import here
from reports import _blank_figures  # noqa: F401
from trainings import CONFIG, filled, result

from dqn.runtime.atomic_write import TEMPORARY, remove_temporaries, replacing_folder, temporary_name
from dqn.storage.results_dir import ResultsDir
from sweeps.__main__ import main

SHORT = ["seeds=1", "episodes=3", "test_episodes=0", "workers=0", "hidden=[8]"]
HERE = ["hydra.run.dir=.", "hydra.output_subdir=null"]
FREE = [
    ".tmp-notes/a.txt", "sub/.tmp-data.csv", ".tmp-1-x", f"{TEMPORARY}notes", f"{TEMPORARY}1-a.csv",
    "figures/mine.png", "figures/.tmp-9-returns.png", "best/notes.md", "notes.txt",
    ".weights-old.npz", "runs/a/config.yaml", "runs/a/.tmp-1-seeds.csv", "conf/config.yaml",
    "report.html", "config.yml",
]  # fmt: skip


@pytest.fixture
def place(tmp_path, monkeypatch):
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


def made(place, *names, text="the user's"):
    for name in names:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    return {name: (place / name).read_bytes() for name in names}


def everything(place):
    return {path: path.is_file() and path.read_bytes() for path in place.rglob("*")}


def test_results_beside_a_users_files_leave_them_alone(place, tmp_path):
    before = made(place, *FREE)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / f"{TEMPORARY}1-0123abcd-x").write_text("the user's")
    for name in ("data", "sub/link", "model"):
        (place / name).symlink_to(tmp_path / "elsewhere")
    for _ in range(2):
        assert here(*SHORT, *HERE) == 0
        assert {name: (place / name).read_bytes() for name in FREE} == before
    assert (place / "figures" / "returns.png").exists()
    assert all((place / name).is_symlink() for name in ("data", "sub/link", "model"))
    assert len(list((tmp_path / "elsewhere").iterdir())) == 1


def test_a_parent_of_other_results_is_none_of_them(place):
    assert here(*SHORT, "hydra.run.dir=a/b") == 0
    before = everything(place / "a" / "b")
    assert here(*SHORT, "hydra.run.dir=a") == 0
    assert everything(place / "a" / "b") == before
    assert here(*SHORT, "hydra.run.dir=a/b") == 0


OURS = [
    "config.yaml", "sweep.yaml", "seeds.csv", "trials.csv", "episodes.parquet/mine.parquet",
    "machine.yaml", "model.keras", "episode.gif", "figures/returns.png", ".weights-0-0.npz",
    ".lock",
]  # fmt: skip


@pytest.mark.parametrize("name", OURS)
def test_a_users_file_under_a_name_of_ours_is_refused_before_anything_is_made(place, capfd, name):
    made(place, name, text="lr: 1\n")
    before = everything(place)
    assert here(*SHORT, "hydra.run.dir=.") == 2
    message = capfd.readouterr().err
    assert message.count("\n") == 1
    assert f"{place / name.partition('/mine')[0]}: would be replaced, but is not of" in message
    assert "choose another folder with hydra.run.dir=FOLDER" in message
    assert everything(place) == before


@pytest.mark.parametrize("name", ["best/config.yaml", "best/model.keras", "multirun.yaml"])
def test_so_is_one_in_the_way_of_a_sweep(place, capfd, name):
    made(place, name, text="lr: 1\n")
    before = everything(place)
    assert here("-m", *SHORT, "lr=1e-3,1e-2", "hydra.sweep.dir=.") == 2
    assert f"{place / name}: would be replaced" in capfd.readouterr().err
    assert everything(place) == before


def test_so_is_what_hydra_would_write_over(place, capfd):
    made(place, ".hydra/config.yaml", "mine/config.yaml", text="db: 1\n")
    for more in ([], ["hydra.output_subdir=mine"]):
        before = everything(place)
        assert here(*SHORT, "hydra.run.dir=.", *more) == 2
        message = capfd.readouterr().err
        assert "config.yaml: would be replaced" in message
        assert message.endswith("or write hydra.output_subdir=null\n")
        assert everything(place) == before
    assert here(*SHORT, *HERE) == 0


def test_a_link_under_a_name_of_ours_is_refused(place, tmp_path, capfd):
    (place / ".hydra").symlink_to(tmp_path)
    assert here(*SHORT, "hydra.run.dir=.") == 2
    assert ".hydra in it is a link to another place" in capfd.readouterr().err
    assert not list(tmp_path.glob("*.yaml"))


def test_a_page_of_the_users_is_not_written_over(tmp_path, capsys):
    filled(tmp_path / "run", result(seed=0), result(seed=1))
    page = tmp_path / "run" / "report.html"
    page.write_text("<!doctype html><title>mine</title>")
    assert main(["report", str(tmp_path / "run")]) == 2
    assert "report.html: would be replaced, but is not of this" in capsys.readouterr().err
    assert "mine" in page.read_text()
    page.unlink()
    for _ in range(2):
        assert main(["report", str(tmp_path / "run")]) == 0


def test_nor_is_a_figure(tmp_path, capsys):
    filled(tmp_path / "run", result(seed=0), result(seed=1))
    mine = made(tmp_path / "run", "figures/best_curve.png")
    assert main(["report", str(tmp_path / "run")]) == 2
    assert "best_curve.png: would be replaced, but is not of" in capsys.readouterr().err
    assert {name: (tmp_path / "run" / name).read_bytes() for name in mine} == mine


@pytest.mark.parametrize("name", ["validation.csv", "recommended.yaml"])
def test_nor_is_a_table_or_a_preset(tmp_path, capsys, name):
    filled(tmp_path / "grid", result(seed=0), result(seed=1), sweep={"kind": "grid"})
    made(tmp_path / "grid", name)
    assert main(["validate", str(tmp_path / "grid"), "--seeds", "2"]) == 2
    assert f"{name}: would be replaced, but is not of this" in capsys.readouterr().err
    assert not (tmp_path / "grid" / "validation").exists()


def test_what_a_living_process_writes_is_not_left_over(tmp_path):
    own = temporary_name(tmp_path / "a.csv").name
    theirs = tmp_path / own.replace(str(os.getpid()), str(os.getppid()), 1)
    theirs.write_text("being written")
    gone = tmp_path / own.replace(str(os.getpid()), str(2**22 + 1), 1)  # beyond any process
    gone.write_text("left over")
    remove_temporaries(tmp_path)
    assert (theirs.exists(), gone.exists()) == (True, False)


def test_only_whole_names_of_our_own_are_temporary(tmp_path):
    mine = made(tmp_path, *FREE[:7], f"{TEMPORARY}1-0123abcdx-a", f"x{TEMPORARY}1-0123abcd-a")
    for place in (tmp_path, tmp_path / "figures", tmp_path / "deep"):
        place.mkdir(exist_ok=True)
        temporary_name(place / "a.csv").write_text("half")
        temporary_name(place / "a").mkdir()
    remove_temporaries(tmp_path, ["figures"])
    assert {name: (tmp_path / name).read_bytes() for name in mine} == mine
    assert len(list((tmp_path / "deep").iterdir())) == 2
    assert not temporary_name(tmp_path / "a.csv").exists()
    assert not temporary_name(tmp_path / "figures" / "a").exists()


def test_a_kill_between_the_folder_before_and_the_new_one_keeps_what_is_the_users(
    tmp_path, monkeypatch
):
    made(tmp_path / "best", "config.yaml", "mine.txt")
    replace, calls = os.replace, []

    def killed(*names):
        calls.append(names)
        if len(calls) == 2:
            raise KeyboardInterrupt
        replace(*names)

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", killed)
        patch.setattr(shutil, "rmtree", lambda *_, **__: None)
        with (
            pytest.raises(KeyboardInterrupt),
            replacing_folder(tmp_path / "best", {"config.yaml"}.__contains__) as fresh,
        ):
            (fresh / "config.yaml").write_text("new")
    assert not (tmp_path / "best").exists()
    remove_temporaries(tmp_path)
    assert (tmp_path / "best" / "mine.txt").read_text() == "the user's"
    assert [path.name for path in tmp_path.iterdir()] == ["best"]


def test_damaged_weights_are_set_aside_and_others_names_left(tmp_path, capsys):
    filled(tmp_path / "run", result(seed=0))
    mine = made(tmp_path / "run", ".weights-mine.npz", ".weights-0-0-old.npz")
    weights = tmp_path / "run" / ".weights-0-0.npz"
    weights.write_bytes(b"PK damaged")
    with ResultsDir(tmp_path / "run", CONFIG) as folder:
        assert folder.best() is None
    (aside,) = (tmp_path / "run").glob(".weights-0-0.npz.damaged-*")
    assert aside.read_bytes() == b"PK damaged"
    assert aside.name in capsys.readouterr().err
    assert {name: (tmp_path / "run" / name).read_bytes() for name in mine} == mine
