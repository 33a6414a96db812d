"""`python -m sweeps watch`: the page follows the folder, and in the end it is still."""

import argparse
import os
import re
import signal
import threading

import pytest
from reports import Reader, _blank_figures  # noqa: F401
from studies import record
from sweep_commands import plain, refusal
from trainings import CONFIG, filled, result

from dqn.runtime.errors import RunError
from dqn.storage.lock import Lock
from dqn.storage.results_dir import ResultsDir
from dqn.terminal import console
from sweeps.__main__ import main
from sweeps.commands import watch as command
from sweeps.commands.watch import Watch, folder_named, keep_still, reloading

REFRESH = re.compile(r'<meta http-equiv="refresh" content="(\d+)">')


def training(trial=0, seed=0):
    return result(trial, seed, returns=[10.0 + seed] * 12, config=CONFIG)


def page(folder):
    return (folder / "report.html").read_text(encoding="utf-8")


@pytest.fixture
def outputs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path / "outputs"


class Time:
    """A clock by hand, and a wait at each of whose calls the next of some steps is done."""

    def __init__(self, *steps):
        self.now, self._steps = 0.0, list(steps)

    def clock(self):
        return self.now

    def wait(self, seconds):
        self.now += seconds
        return self._steps.pop(0)()


@pytest.fixture
def made(monkeypatch):
    """Pages without a report: how many trainings each is of."""
    pages = []

    def report_on(args, results, tell, finish):
        tell("drawing ...")
        (args.folder / "report.html").write_text(finish("<head></head>"))
        pages.append(sum(map(len, results.rows.values())))

    monkeypatch.setattr(command, "report_on", report_on)
    return pages


def watching(folder, time, interval=30.0):
    args = argparse.Namespace(folder=folder, interval=interval, metric=None)
    return Watch(args, time.clock)


def test_a_page_is_made_when_there_is_more_and_not_more_often_than_asked(
    tmp_path, made, capfd, monkeypatch
):
    monkeypatch.setattr(console, "_PAUSE", 0.0)
    monkeypatch.setattr(console, "_FIRST", -1.0)
    with ResultsDir(tmp_path, CONFIG) as folder:
        counts = []

        def more(seed):
            folder.add(training(seed=seed))
            counts.append(len(made))

        def skip(seconds):
            time.now += seconds
            counts.append(len(made))

        def end():
            folder.close()
            counts.append(len(made))

        time = Time(
            lambda: more(0), lambda: more(1), lambda: skip(20), lambda: skip(5), lambda: skip(60),
            lambda: more(2), end, lambda: None,
        )  # fmt: skip
        with watching(tmp_path, time) as seen:
            assert seen.follow(time.wait)
    # Nothing at first; one of the first seed; the second after 30 s; none where nothing is new.
    assert counts == [0, 1, 1, 1, 2, 2, 3]
    assert made == [1, 2, 3]
    assert (seen.entry.status, seen.entry.over, seen.pages) == ("done", 3, 3)
    assert REFRESH.search(page(tmp_path))[1] == "30"
    said = capfd.readouterr().err
    assert said.count(f"{tmp_path / 'report.html'}") == 1
    assert "running · 0 of 3 seeds done" in said
    assert "running · 1 of 3 seeds done" in said
    assert "best so far: mean return " in said


def test_a_page_that_takes_long_is_made_less_often(tmp_path, made, monkeypatch):
    quick = command.report_on

    def slow(*arguments):
        time.now += 60.0
        quick(*arguments)

    monkeypatch.setattr(command, "report_on", slow)
    with ResultsDir(tmp_path, CONFIG) as folder:
        folder.add(training())
        steps = [lambda seed=seed: folder.add(training(seed=seed)) for seed in (1, 2)]
        steps += [lambda: setattr(time, "now", time.now + 100.0)] * 7 + [folder.close] * 2
        time = Time(*steps)
        with watching(tmp_path, time) as seen:
            assert seen.follow(time.wait)
    assert made == [1, 3]


def test_a_page_that_cannot_be_made_is_tried_again(tmp_path, made, monkeypatch, capfd):
    whole, times = command.report_on, []

    def failing(*arguments):
        times.append(1)
        if len(times) == 1:
            raise RunError("part-00000.parquet: must be readable, is not")
        whole(*arguments)

    monkeypatch.setattr(command, "report_on", failing)
    with ResultsDir(tmp_path, CONFIG) as folder:
        folder.add(training())
        steps = [lambda: folder.add(training(seed=1)), lambda: setattr(time, "now", 99.0)]
        time = Time(*steps, *[folder.close] * 3)
        with watching(tmp_path, time) as seen:
            assert seen.follow(time.wait)
    assert made == [2]
    assert "must be readable, is not; tried again" in capfd.readouterr().err


def test_a_validation_that_follows_is_watched_too(tmp_path, made, capfd):
    study = record({"lr": "interval(0.001,0.01)"}, n_trials=1)
    filled(tmp_path, *(training(seed=seed) for seed in range(3)), sweep=study, swept=("lr",))
    (tmp_path / "validation").mkdir()
    held = [Lock(tmp_path)]

    def hand_over():
        held.pop().close()

    def validate():
        held.append(Lock(tmp_path / "validation"))

    time = Time(hand_over, validate, *[lambda: None] * 2, hand_over, *[lambda: None] * 5)
    statuses = []
    with watching(tmp_path, time) as seen:
        show = seen._show
        seen._show = lambda: (statuses.append(seen.entry.status), show())
        assert seen.follow(time.wait)
    # It is over 10 s after anybody was last at work, as the table of a validation comes last.
    assert statuses == ["running", "done", *["validating"] * 3, *["done"] * 5]


def test_a_folder_where_nobody_trains_has_its_page_at_once(tmp_path, capsys):
    filled(tmp_path, training(), training(seed=1))
    status, said = plain(capsys, "watch", tmp_path)
    assert (status, said["report"]) == (0, str(tmp_path / "report.html"))
    text = page(tmp_path)
    assert not REFRESH.search(text)
    assert "Half-finished: 2 of 3 seeds." in Reader(text).text


def test_once_is_a_page_that_is_still_though_it_trains(outputs, capsys):
    with ResultsDir(outputs / "runs" / "a", CONFIG) as folder:
        folder.add(training())
        status, said = plain(capsys, "watch", "a", "--once")
        assert (status, said["report"]) == (0, "outputs/runs/a/report.html")
    assert not REFRESH.search(page(outputs / "runs" / "a"))


def test_while_it_trains_the_page_loads_itself_again_and_after_ctrl_c_it_does_not(
    outputs, capsys, monkeypatch
):
    path = outputs / "sweeps" / "a"
    texts = []

    def wait(self, seconds):
        texts.append(page(path))
        os.kill(os.getpid(), signal.SIGINT)
        return self.is_set()

    monkeypatch.setattr(threading.Event, "wait", wait)
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with ResultsDir(path, CONFIG, {"kind": "grid"}, swept=("lr",)) as folder:
        folder.add(training())
        assert main(["watch", "a", "--interval", "7"]) == 0
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    (text,) = texts
    assert REFRESH.search(text)[1] == "7"
    assert text.replace('<meta http-equiv="refresh" content="7">\n', "") == page(path)
    assert not REFRESH.search(page(path))
    assert "no longer watched; running: " in capsys.readouterr().out


def test_a_page_is_the_same_once_it_is_still(tmp_path):
    html = "<html><head>\n<title>a</title>\n</head><body></head></body></html>"
    path = tmp_path / "report.html"
    for text in (html, reloading(html, 30)):
        path.write_text(text)
        keep_still(path)
        assert path.read_text() == html
    assert reloading(html, 30).count("refresh") == 1
    keep_still(tmp_path / "nothing.html")


def test_a_report_of_a_folder_that_grows_meanwhile_is_whole(tmp_path, capsys):
    grid = {"kind": "grid", "params": {"lr": [f"0.0{n}" for n in range(1, 10)]}}
    errors, enough = [], threading.Event()

    def grow():
        try:
            with ResultsDir(tmp_path, CONFIG, grid, swept=("lr",)) as folder:
                for trial in range(400):
                    folder.add(*(training(trial, seed) for seed in range(3)))
                    if trial == 1:
                        begun.set()
                    if enough.is_set():
                        return
        except Exception as error:
            errors.append(error)
        finally:
            begun.set()

    begun = threading.Event()
    thread = threading.Thread(target=grow)
    thread.start()
    begun.wait()
    found = [plain(capsys, "watch", tmp_path, "--once") for _ in range(3)]
    enough.set()
    thread.join()
    assert errors == []
    assert [status for status, _ in found] == [0, 0, 0]
    trials = [said["trials"] for _, said in found]
    assert trials == sorted(trials)
    assert trials[0] < trials[-1]


def test_a_name_is_a_path_or_a_sweep_or_a_run(outputs):
    for name in ("sweeps/a", "runs/a", "runs/b", "c"):
        (outputs / name).mkdir(parents=True)
    assert folder_named("a") == outputs.relative_to(outputs.parent) / "sweeps" / "a"
    assert folder_named("b").parts[-2:] == ("runs", "b")
    assert str(folder_named("outputs/c")) == "outputs/c"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["nothing"], "NAME must be a folder of results, or the name of one in outputs/sweeps"),
        (["empty"], "must be a folder of results, with config.yaml and seeds.csv, is not"),
        (["begun"], "must hold a finished training, holds none yet"),
        (["begun", "--once"], "must hold a finished training, holds none yet"),
        (["begun", "--interval", "0"], "must be a number of seconds >= 1, got 0"),
        (["begun", "--interval", "x"], "--interval: invalid number of seconds >= 1 value: 'x'"),
        (["begun", "--interval", "nan"], "must be a number of seconds >= 1, got nan"),
    ],
)
def test_what_cannot_be_watched_is_refused_in_a_line(outputs, words, complaint, capsys):
    (outputs / "runs" / "empty").mkdir(parents=True)
    ResultsDir(outputs / "runs" / "begun", CONFIG).close()
    status, text = refusal(capsys, "watch", *words)
    assert status == 2
    assert complaint in text
