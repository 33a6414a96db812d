"""Whatever is written on a command line or into a file of results: one line, or it is understood.

Never a traceback, a hang or a half-written file. The suite tries the same few each time; `pytest -m
fuzz` tries others, from a fresh seed, and `-s` shows how many (`-m fuzz --fuzz 100 -s`: thousands).
"""

import collections
import contextlib
import itertools
import random
import re
import shutil
import signal
import sys
from pathlib import Path
from unittest import mock

import pytest
from commands import here
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from reports import VALIDATION, _blank_figures  # noqa: F401
from studies import record, sampled, write
from tabular import PARSER, compose

from dqn import session
from dqn.compose.fast_compose import one_line
from dqn.config import Config
from dqn.config.config import KEYS
from dqn.runtime.errors import RunError, UserError
from dqn.storage import machines
from dqn.storage.manifest import read_sweep
from dqn.storage.results_dir import ResultsDir
from sweeps.__main__ import main
from sweeps.search.settings import Settings, refuse_unsound
from sweeps.search.space_parser import search_space

SECONDS = 20  # no more for any one of them, on a machine that is busy

# Hydra's grammar, YAML's and Python's, where they meet and where they end.
VALUES = """0 1 -1 2 1.5 1e-3 1e999 nan inf -inf null true abc '' "" [] {} [1,2] [[1]] [8,4] {a:1}
[1,[2,{a:3}]] 1,2 a,b interval(1,2) interval(2,1) interval(0,1) interval(nan,1) interval(0,inf)
tag(log,interval(1e-3,1)) tag(log,interval(0,1)) tag(x,interval(1,2)) int(interval(1,3)) range(1,5)
range(5,1) range(0,1,0.1) range(1,5,0) range(1,nan) range(1,inf) range(1,1e10) choice(1,2) choice()
choice(1,1) choice([8],[4,4]) choice({a:1},{a:2}) choice(null,1) choice(${lr},1) glob(*) glob(c*)
float(1) str(1) shuffle(1,2) shuffle(range(1,5)) sort(2,1) extend_list(1) ${lr} ${nope} ${env.id}
${oc.env:NOPE} ${hydra:job.name} ??? 0x10 1_000 ٣ é a=b = [ { ( ) * $ \\ ` ~ + - ..
a/b relu linear ray cartpole gymnasium scaled lr influence tune optuna cmaes grid one_at_a_time qmc
median hyperband wilcoxon random mean_return low CartPole-v1 os.system:CartPole-v0 nowhere:X-v0 !!x
2147483647 2147483648 99999999999999999999 \u202e \x00 \x1b[2J""".split()  # noqa: SIM905
VALUES += ["9" * 5000, "x" * 300, "a b", "\n", ""]
STUDY = ["n_trials", "seed", "storage", "objective", "aggregate", "racing", "racing_keep", "rungs",
         "parallel", "validate", "sampler", "pruner", "params", "sampler._target_",
         "pruner._target_", "params.lr", "name", "lrr"]  # fmt: skip
NAMES = [*KEYS, "env", "preset", "sweep", "hydra/sweeper", "hydra/sweeper/sampler", "env.kwargs.x",
         "hydra/sweeper/pruner", "hydra/launcher", "hydra.mode", "hydra", "lrr",
         "hydra.sweeper", "hydra.callbacks", "hydra.job.name", "hidden.0", "lr.x", "env@x", "", "@",
         *(f"hydra.sweeper.{name}" for name in STUDY)]  # fmt: skip

ANY_VALUE = st.sampled_from(VALUES) | st.text(max_size=8)
WORD = st.tuples(
    st.sampled_from(["", "", "", "", "+", "++", "~"]), st.sampled_from(NAMES), ANY_VALUE
).map(lambda parts: f"{parts[0]}{parts[1]}={parts[2]}")
SOUND = ["lr=0.1", "gamma=.5", "hidden=[8,4]", "preset=scaled", "env=acrobot", "seeds=3", "steps=9",
         "train_freq=7", "epsilon_min=0", "double=true", "name=one", "huber_delta=inf"]  # fmt: skip
TEXT = st.text(min_size=1, max_size=8).filter(lambda text: text[0] != "-")
LINE = st.tuples(
    st.sampled_from([[], ["-m"], ["-m", "hydra/sweeper=optuna", "gamma=interval(0.9,0.99)"]]),
    st.lists(st.sampled_from(SOUND), max_size=2),
    st.lists(WORD, max_size=2) | st.lists(WORD | TEXT, max_size=1),
).map(lambda parts: list(itertools.chain(*parts)))


@contextlib.contextmanager
def prompt():
    """Fail what takes longer than `SECONDS`, wherever it is stuck."""

    class Stuck(BaseException):
        pass

    def stuck(*_):
        raise Stuck

    before = signal.signal(signal.SIGALRM, stuck)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def in_one_line(text: str, status: int) -> None:
    """What a command that did not do its work said: one line, and no bug of ours."""
    assert status in (1, 2)
    assert text.endswith("\n")
    assert text[:-1].isprintable(), text
    assert "HYDRA_FULL_ERROR" not in text, text


def command_line(words: list[str], folder: Path, capfd) -> str:
    """Compose what a command asks for, in an empty folder; trains nothing."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with (
        mock.patch.object(session, "train", return_value=0),
        mock.patch.object(session, "sweep", return_value=(0, None)),
        contextlib.chdir(folder),
        prompt(),
    ):
        status = here(*words)
    text = capfd.readouterr().err
    if status == 0:
        return "accepted"
    in_one_line(text, status)
    assert list(folder.iterdir()) == [], text
    return "refused"


@pytest.fixture(params=["fast", pytest.param("fuzz", marks=pytest.mark.fuzz)])
def effort(request):
    """How many times the fewest examples are tried, and the seed; no seed: the same each time."""
    option = request.config.option
    return (option.fuzz, option.hypothesis_seed) if request.param == "fuzz" else (1, None)


def tried(strategy, examples: int, effort, call) -> collections.Counter:
    """Call `call` with so many examples; how often it gave what."""
    times, number = effort
    counts: collections.Counter[str] = collections.Counter()

    @settings(
        max_examples=examples * times, deadline=None, database=None, derandomize=number is None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    )  # fmt: skip
    @given(strategy)
    def each(example):
        counts[call(example)] += 1

    (each if number is None else seed(number)(each))()
    return counts


def drawn(what: str, examples: int, effort):
    """As many sources of random edits, each with the name that a failure is noted under."""
    times, number = effort
    for n in range(examples * times):
        name = f"{what} {n}" if number is None else f"{what} {n} of seed {number}"
        yield name, random.Random(name)


def report(what: str, counts: collections.Counter) -> None:
    print(f"\n{what}: {counts.total():,} tried, {dict(counts)}", file=sys.__stdout__)


@pytest.mark.timeout(1200)
def test_any_command_line(effort, tmp_path, capfd):
    counts = tried(LINE, 30, effort, lambda words: command_line(words, tmp_path / "in", capfd))
    with capfd.disabled():
        report("command lines", counts)


SWEEP = st.tuples(st.sampled_from([*KEYS, "env", "preset", "env.kwargs.x"]), ANY_VALUE)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(VALUES),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["_target_", "top", "seeds", "n_startup_trials", "x"]), inner
        )
    ),
    max_leaves=6,
)
TARGETS = [f"optuna.samplers.{name}Sampler" for name in ("TPE", "Random", "Grid", "QMC", "CmaEs")]
TARGETS += [f"optuna.pruners.{name}Pruner" for name in ("Nop", "Median", "Hyperband", "Wilcoxon")]
NODE = st.fixed_dictionaries(
    {"_target_": st.sampled_from([*TARGETS, "sweeps.search.samplers.OneAtATime", "os.system"])},
    optional={"n_startup_trials": PLAIN, "popsize": PLAIN, "scramble": PLAIN, "x": PLAIN},
)


def space(asked) -> str:
    overrides, params, node = asked
    try:
        with one_line():
            texts = PARSER.parse_overrides([f"{name}={value}" for name, value in overrides])
        found = search_space(texts, params, compose, PARSER)
        refuse_unsound(Settings.from_mapping({"n_trials": 3, **node}, "s"), found, Config())
    except UserError:
        return "refused"
    return "accepted"


@pytest.mark.timeout(1200)
def test_any_search_space_and_settings(effort):
    good = st.sampled_from([("lr", "interval(0.1,0.2)"), ("train_freq", "range(1,5)"),
                            ("hidden", "choice([8],[4])"), ("gamma", "0.1,0.2")])  # fmt: skip
    asked = st.tuples(
        st.lists(good | SWEEP, max_size=3),
        st.dictionaries(st.sampled_from([*KEYS, "x"]), PLAIN, max_size=2) | PLAIN,
        st.dictionaries(st.sampled_from(STUDY).filter(lambda n: n != "storage"), PLAIN, max_size=2)
        | st.fixed_dictionaries({}, optional={"sampler": NODE, "pruner": NODE}),
    )

    def each(one):
        with prompt():
            return space(one)

    report("search spaces and settings", tried(asked, 150, effort, each))


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A small study with all that a report reads."""
    base = Config(seeds=2, episodes=12)
    path = write(
        tmp_path_factory.mktemp("fuzz") / "good", sampled(3, base, ("lr", "gamma")),
        record({"lr": "interval(0.0001,0.01)", "gamma": "interval(0.9,0.999)"}, seeds=2),
        base=base, seeds=2, episodes=12,
    )  # fmt: skip
    (path / "validation.csv").write_text(VALIDATION.format(best=0, second=1))
    (path / ".hydra").mkdir()
    (path / ".hydra" / "overrides.yaml").write_text("- lr=0.1\n- name=x\n")
    machines.record_machine(path)
    return path


FILES = ("config.yaml", "sweep.yaml", "seeds.csv", "validation.csv", "machine.yaml",
         ".hydra/overrides.yaml", "episodes.parquet/part-00000.parquet")  # fmt: skip
TOKENS = rb"""0 -1 1e999 nan inf 99999999999999999999999 null [] {} "" ' " , : ~ true !!int\ x .. x
2001-99-99 *a &a - 1e308 -1e308 9223372036854775807 2147483648 done pruned diverged failed low
solved_at 0x1 {1:2} [1,[2]] <b> 3.7 collapse mean_return !!python/object:os.x @ ` % \xff""".split()
TOKENS += [b"\x00", b"\xff", b"\n", b"  ", b"\t", b""]


def edited(data: bytes, random_: random.Random) -> bytes:
    """`data` with up to three edits, or other bytes altogether."""
    if random_.random() < 0.1:
        return random_.randbytes(random_.randrange(300))
    for _ in range(random_.choice((1, 1, 1, 2, 3))):
        words = list(re.finditer(rb"[^\s,:\[\]{}]+", data))
        kind = random_.random()
        if kind < 0.55 and words:
            start, end = random_.choice(words).span()
            new = random_.choice(TOKENS) if random_.random() < 0.8 else random_.choice(words)[0]
            data = data[:start] + new + data[end:]
        elif kind < 0.75:
            at = random_.randrange(len(data) + 1)
            data = data[:at] + random_.choice(TOKENS) + data[at + random_.randrange(2) :]
        elif kind < 0.82:
            data = data[: random_.randrange(len(data) + 1)]
        else:
            lines = data.split(b"\n")
            lines.insert(random_.randrange(len(lines)), lines.pop(random_.randrange(len(lines))))
            data = b"\n".join(lines if random_.random() < 0.5 else lines[1:])
    return data


def damaged(good: Path, path: Path, random_: random.Random) -> None:
    """A copy of `good` with one or two of its files edited."""
    shutil.rmtree(path, ignore_errors=True)
    shutil.copytree(good, path)
    for name in random_.sample(FILES, random_.choice((1, 1, 2))):
        (path / name).write_bytes(edited((path / name).read_bytes(), random_))


def contents(path: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}


def asked_of(command: str, good: Path, path: Path, random_: random.Random, capfd) -> str:
    damaged(good, path, random_)
    before = contents(path)
    with prompt():
        arguments = [str(path), str(good), "--anyway"] if command == "compare" else [str(path)]
        status = main([command, *arguments])
    text = capfd.readouterr().err
    if status == 0:
        return "read"
    in_one_line(text.rpartition("\n")[0].rpartition("\r")[2].splitlines()[-1] + "\n", status)
    assert {file: data for file, data in contents(path).items() if file in before} == before
    assert not list(path.rglob(".tmp-*"))
    return "refused"


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("command", "times"), [("compare", 60), ("report", 4)])
def test_any_file_of_results(effort, command, times, good, tmp_path, capfd):
    counts: collections.Counter[str] = collections.Counter()
    for name, random_ in drawn(command, times, effort):
        try:
            counts[asked_of(command, good, tmp_path / "bad", random_, capfd)] += 1
        except BaseException as error:
            error.add_note(f"{name}; the folder is {tmp_path / 'bad'}")
            raise
    with capfd.disabled():
        report(f"edited folders, {command}", counts)


@pytest.mark.timeout(1200)
def test_any_folder_that_is_resumed(effort, good, tmp_path, capfd):
    """Opening for writing mends tables: what it leaves is whole, and is opened again in silence."""
    base, sweep = Config(seeds=2, episodes=12), read_sweep(good / "sweep.yaml") or {}
    del sweep["identity"]
    counts: collections.Counter[str] = collections.Counter()
    for name, random_ in drawn("open", 40, effort):
        damaged(good, tmp_path / "bad", random_)
        try:
            with prompt(), ResultsDir(tmp_path / "bad", base, sweep) as folder:
                rows = folder.rows()
                folder.episodes()
            capfd.readouterr()
            with ResultsDir(tmp_path / "bad", base, sweep) as again:
                assert again.rows().equals(rows)
            assert capfd.readouterr().err == ""
            counts["opened"] += 1
        except (UserError, RunError):
            counts["refused"] += 1
        except BaseException as error:
            error.add_note(f"{name}; the folder is {tmp_path / 'bad'}")
            raise
        assert not list((tmp_path / "bad").rglob(".tmp-*"))
    with capfd.disabled():
        report("edited folders, resumed", counts)
