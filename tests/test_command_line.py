import os
import shlex
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from command_line import ENVIRONMENT, assert_refused, exit_status
from omegaconf import OmegaConf

import dqn.compose
import dqn.compose.resume_command
from dqn import run
from dqn.config import Config
from dqn.runtime.errors import RunError, UserError
from dqn.runtime.exit_codes import INTERRUPTED
from dqn.runtime.version import VERSION

REFUSED = [
    # an unknown key, with the nearest known one
    ("lrr=1", "lrr ; (in lrr=1); did you mean lr?"),
    ("+lrr=1", "lrr ; (in +lrr=1); did you mean lr?"),
    ("++lrr=1", "lrr ; (in ++lrr=1); did you mean lr?"),
    ("~lrr", "lrr ; (in ~lrr); did you mean lr?"),
    ("lr.x=1", "lr.x ; (in lr.x=1); did you mean lr?"),
    ("hidden.0=1", "hidden.0 ; did you mean hidden?"),
    ("learning_rate=1", "learning_rate ; (in learning_rate=1); did you mean lr?"),
    ("presett=scaled", "presett ; (in presett=scaled); did you mean preset?"),
    ("env.idd=x", "env.idd ; (in env.idd=x); did you mean env.id?"),
    ("+env.idd=x", "env.idd ; did you mean env.id?"),
    ("=3", "'' ; (in =3); --help"),
    ("hydra.run.dri=x", "hydra.run.dri ; (in hydra.run.dri=x); did you mean hydra.run.dir?"),
    ("hydra.runs.dir=x", "hydra.runs.dir ; (in hydra.runs.dir=x); did you mean hydra.run.dir?"),
    ("sweep=tune hydra.sweeper.n_trial=2", "hydra.sweeper.n_trial ; mean hydra.sweeper.n_trials?"),
    ("hydra.sweeper.n_trials=2", "hydra.sweeper.n_trials ; add -m hydra/sweeper=optuna"),
    ("hydra/sweeper=optuna", "hydra/sweeper ; only applies to sweeps; add -m"),
    ("racing=[2,4]", "racing ; did you mean hydra.sweeper.racing?"),
    ("env.kwargs.x=1", "env.kwargs.x ; use +env.kwargs.x=1"),
    # what is there can be neither added nor removed
    ("+lr=1", "lr ; (in +lr=1); write it without the +"),
    ("+preset=scaled", "preset ; (in +preset=scaled); without the +"),
    ("~lr", "lr ; (in ~lr); leave it out"),
    ("~preset", "preset ; (in ~preset); leave it out"),
    ("~env", "env ; (in ~env); leave it out"),
    # a wrong type
    ("lr=abc", "lr ; a number > 0; got 'abc'; lr=0.001"),
    ("lr=", "lr ; a number > 0; got ''; lr=0.001"),
    ("lr=null", "lr ; a number > 0; got null; lr=0.001"),
    ("lr=true", "lr ; a number > 0; got true; lr=0.001"),
    ("lr='0.1x'", "lr ; a number > 0; got '0.1x'; lr=0.001"),
    ("lr=[0.1]", "lr ; a number > 0; got [0.1]; lr=0.001"),
    ("lr={a:1}", "lr ; a number > 0; got {'a': 1}; lr=0.001"),
    ("seeds=1.5", "seeds ; a whole number >= 1; got 1.5; seeds=5"),
    ("double=yes", "double ; true or false; got 'yes'; double=false"),
    ("tracking=tensorbord", "tracking ; null; did you mean tracking=tensorboard?"),
    ("tracking=comet", "tracking ; wandb, mlflow, tensorboard or null; tracking=wandb"),
    ("hidden=64", "hidden ; list; got 64; hidden=[64,64]"),
    ("hidden=[[64]]", "hidden ; list; got [[64]]; hidden=[64,64]"),
    ("activation=rellu", "activation ; relu, tanh; got 'rellu'; did you mean activation=relu?"),
    # out of range
    ("lr=-1", "lr ; > 0; got -1; lr=0.001"),
    ("lr=nan", "lr ; > 0; got nan; lr=0.001"),
    ("gamma=1.5", "gamma ; [0, 1]; got 1.5; gamma=0.99"),
    ("train_freq=0", "train_freq ; >= 1; got 0; train_freq=4"),
    ("hidden=[64,0]", "hidden ; each >= 1; got [64, 0]; hidden=[64,64]"),
    ("seeds=0", "seeds ; >= 1; got 0; seeds=5"),
    ("seeds=99999999999999999999", "seeds ; < 2^31; got 99999999999999999999; seeds=5"),
    ("name=a/b", "name ; folder name; got 'a/b'; hydra.run.dir=PATH"),
    ("name=''", "name ; folder name; got ''; name="),
    # rules between keys
    ("epsilon_start=0.1 epsilon_min=0.5", "epsilon_min ; epsilon_start=0.1; got 0.5; lower"),
    ("batch_size=6000", "buffer_size=5000 ; batch_size=6000; raise buffer_size or lower"),
    ("episodes=0", "episodes=0 ; steps=0; episodes=150"),
    # a group's option that does not exist
    ("preset=scled", "preset ; exercise, recommended, scaled; got scled; mean preset=scaled?"),
    ("preset=null", "preset ; exercise, recommended, scaled; got null; preset=exercise"),
    ("env=CartPole-v1", "env ; got CartPole-v1; did you mean env=cartpole_v1?"),
    ("env=lunarlander", "env ; got lunarlander; env=gymnasium env.id=ID"),
    ("preset=a/mine.yaml", "preset ; got a/mine.yaml; copy it to ; and write preset="),
    ("hydra/sweeper=basc", "hydra/sweeper ; got basc; did you mean hydra/sweeper=basic?"),
    # what cannot be read
    ("lr", "lr ; cannot be read as key=value; write"),
    ("hidden=[64,", "hidden=[64, ; cannot be read as key=value; 'hidden=[64,64]'"),
    ("lr=${gamma", "lr=${gamma ; cannot be read as key=value; write"),
    ("activation=été", "activation=été ; quotes; \"name='a name'\""),
    ("lr=${nothing}", "lr ; nothing; write a value"),
    ("lr=${oc.env:NO_SUCH_VARIABLE}", "lr ; NO_SUCH_VARIABLE; write a value"),
    ("--frobnicate", "--frobnicate ; --hydra-help"),
    ("lr=1 -m gamma=0.9", "gamma=0.9 ; write flags before or after"),
    ("--config-dir=missing", "--config-dir ; got missing; write the path"),
    ("--config-name=missing", "missing ; config"),
    # several values without -m
    ("lr=0.1,0.2", "lr ; got lr=0.1,0.2; add -m"),
    ("hidden=32,32", "hidden ; got hidden=32,32; add -m; [32,32]"),
    ("env=cartpole,acrobot", "env ; got env=cartpole,acrobot; add -m"),
    ("train_freq=range(1,3)", "train_freq ; got train_freq=range(1,3); add -m"),
    ("seeds=range(1,3)", "seeds ; the same for all trials; got seeds=range(1,3); one value"),
    # what has no end
    ("-m lr=range(1,1e10)", "a grid ; at most 100,000 trials; got 9,999,999,999; hydra/sweeper"),
    ("-m lr=range(1,inf)", "a grid ; at most 100,000 trials; got inf; choose fewer"),
    ("-m lr=range(1,nan)", "a grid ; at most 100,000 trials; got inf; choose fewer"),
    ("-m env=range(1,1e10)", "env ; got"),
    ("seeds=100001", "seeds ; at most 100,000; got 100001; write fewer"),
    ("test_episodes=100001", "test_episodes ; at most 100,000; got 100001; write fewer"),
    # what is no mapping
    ("-m hydra.sweeper.params=3", "hydra.sweeper.params ; a mapping; got 3; params.lr="),
    ("-m hydra.sweeper=3", "hydra.sweeper ; a mapping; got 3; choose one"),
    # environments
    ("env=gymnasium", "env.id ; must be given; env.id="),
    ("env=gymnasium env.id=CartPol-v1", "env.id ; CartPol-v1; CartPole-v1"),
    ("env=gymnasium env.id=Pendulum-v1", "env.id ; Pendulum-v1; Discrete; Box"),
    ("env=gymnasium env.id=Blackjack-v1", "env.id ; Blackjack-v1; flat Box; Tuple"),
    ("env.id=Acrobot-v1", "env.id ; got Acrobot-v1; env=gymnasium env.id=Acrobot-v1"),
    # a folder that cannot be written
    ("hydra.run.dir=/proc/x", "hydra.run.dir ; got /proc/x; hydra.run.dir=PATH"),
    ("hydra.run.dir=/dev/null/x", "hydra.run.dir ; got /dev/null/x; hydra.run.dir=PATH"),
    ("hydra.run.dir=", "hydra.run.dir ; no path; hydra.run.dir=PATH"),
    ("hydra.run.dir=null", "hydra.run.dir ; null"),
    ("hydra.run.dir=${nothing}", "hydra.run.dir ; nothing"),
    (f"hydra.run.dir={'x' * 300}", "hydra.run.dir ; xxx; too long; hydra.run.dir=PATH"),
    ("-m lr=1,2 hydra.sweep.dir=/proc/x", "hydra.sweep.dir ; /proc/x; hydra.sweep.dir=PATH"),
    # a grid, before the first of its jobs
    ("-m lr=0.1,-1", "lr ; > 0; got -1; (job 1: lr=-1)"),
    ("-m hidden=[32],[64,0] gamma=0.9", "hidden ; (job 1: hidden=[64,0] gamma=0.9)"),
    ("-m env.max_episode_steps=9,0", "env.max_episode_steps ; (job 1: env.max_episode_steps=0)"),
    ("-m preset=exercise,scaled lr=-1", "lr ; (job 0: preset=exercise lr=-1)"),
    ("-m preset=exercise,scled", "preset ; got scled; did you mean preset=scaled?"),
    ("-m lr=0.1,${nothing}", "lr ; nothing; (job 1:"),
    ("-m lrr=1,2", "lrr ; (in lrr=1,2); did you mean lr?"),
    ("-m name=a,b", "name ; got name=a,b; one value"),
    ("-m seeds=1,2", "seeds ; the same for all trials; got seeds=1,2; one value"),
    ("-m seeds=range(1,4)", "seeds ; the same for all trials; got seeds=range(1,4); one value"),
    ("-m workers=0,2 lr=1,2", "workers ; the same for all trials; got workers=0,2; one value"),
    ("-m lr=1,2 hydra.sweeper.max_batch_size=2", "max_batch_size ; null; got 2; leave it out"),
    ("-m lr=interval(0.1,0.2)", "lr ; a list; got lr=interval(0.1,0.2); hydra/sweeper=optuna"),
    ("-m hydra.run.dir=a,b", "hydra.run.dir=a,b"),
    ("-m env=gymnasium env.id=CartPole-v1,CartPol-v1", "env.id ; CartPol-v1; CartPole-v1"),
]


@pytest.mark.parametrize(("typed", "parts"), REFUSED, ids=[typed for typed, _ in REFUSED])
def test_a_refusal_is_one_line_and_leaves_nothing(line, tmp_path, typed, parts):
    assert_refused(line, tmp_path, typed, parts)


@pytest.mark.parametrize("typed", ["", "lr = 3", "lr=\udcff", "name=a\nb", "lr==3", "lr=\t"])
def test_odd_characters_make_one_printable_line(line, typed):
    assert line(typed) == 2
    assert line.err.rstrip("\n").isprintable()


@pytest.fixture
def unprivileged():
    """Root may write anywhere: be nobody for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    yield
    os.seteuid(0)


def test_a_read_only_folder_is_refused(line, tmp_path, request):
    assert line("name=warm") == 0  # all that is imported late, while it may be read
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o555)
    request.getfixturevalue("unprivileged")
    assert line(f"hydra.run.dir={folder}/here") == 2
    assert line.err.startswith(
        f"hydra.run.dir must be a folder that can be written to, got {folder}"
    )
    assert len(line.err.splitlines()) == 1


def test_a_file_in_the_way_is_refused_and_kept(line, tmp_path):
    Path("results").write_text("mine")
    assert line("hydra.run.dir=results") == 2
    assert line.err.startswith("hydra.run.dir must be a folder")
    assert Path("results").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["results"]


def test_without_arguments_the_exercise_is_trained_in_a_folder_named_by_the_time(line, tmp_path):
    assert line() == 0
    assert line.config == Config()
    (folder,) = line.folders
    assert folder.parent == tmp_path / "outputs" / "runs"
    assert folder.name[:2] == "20"
    assert (line.out, line.err) == ("", "")
    assert [path.name for path in folder.iterdir()] == [".hydra"]
    assert sorted(path.name for path in (folder / ".hydra").iterdir()) == [
        "config.yaml",
        "hydra.yaml",
        "overrides.yaml",
    ]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("lr=0.0005 target_update=200", {"lr": 0.0005, "target_update": 200}),
        ("preset=exercise", {}),
        ("preset=scaled", {"reward_scale": 0.01}),
        ("preset=scaled reward_scale=3", {"reward_scale": 3.0}),
        ("reward_scale=3 preset=scaled", {"reward_scale": 3.0}),
        ("++lr=0.1", {"lr": 0.1}),
        ("lr=${gamma}", {"lr": 0.99}),
        ("hidden=[32,32] seeds=1e1", {"hidden": [32, 32], "seeds": 10}),
        ("huber_delta=1 grad_clip=inf", {"huber_delta": 1.0}),
        ("env=acrobot", {"env": {"id": "Acrobot-v1"}}),
        (
            "env=gymnasium env.id=Acrobot-v1",
            {"env": {"id": "Acrobot-v1", "max_episode_steps": None, "solved_return": None}},
        ),
        ("env.max_episode_steps=50", {"env": {"max_episode_steps": 50}}),
        (
            "+env.kwargs.sutton_barto_reward=true",
            {"env": {"kwargs": {"sutton_barto_reward": True}}},
        ),
        (
            "env.id=CartPole-v1 env.max_episode_steps=500 env.solved_return=475",
            {"env": {"id": "CartPole-v1", "max_episode_steps": 500, "solved_return": 475.0}},
        ),
    ],
)
def test_the_command_line_wins_over_the_preset_and_the_preset_over_the_file(
    line, arguments, expected
):
    assert line(*arguments.split()) == 0
    assert line.err == ""
    given = line.config.to_mapping()
    env = expected.pop("env", {})
    assert {key: given["env"][key] for key in env} == env
    assert {**Config().to_mapping(), **expected, "env": 0} == {**given, "env": 0}


@pytest.mark.parametrize(
    ("argument", "place"),
    [
        ("name=first", "outputs/runs/first"),
        ("name=17", "outputs/runs/17"),
        ("name='a b é'", "outputs/runs/a b é"),
        ("hydra.run.dir=here/lr_${lr}", "here/lr_0.001"),
        ("hydra.job.chdir=true", "outputs/runs/"),
    ],
)
def test_results_go_where_they_are_sent(line, tmp_path, argument, place):
    before = os.getcwd()
    assert line(argument) == 0
    assert str(line.folders[0]).startswith(str(tmp_path / place))
    assert line.folders[0].is_dir()
    assert os.getcwd() == before


def test_a_folder_that_is_there_is_used_again(line):
    assert line("name=again") == 0
    (line.folders[0] / "seeds.csv").write_text("trial,seed")
    assert line("name=again") == 0
    assert line.folders[0] == line.folders[1]
    assert (line.folders[0] / "seeds.csv").read_text() == "trial,seed"


def test_a_grid_is_every_pair_in_one_folder(line, tmp_path):
    assert line("-m", "lr=0.1,0.2", "env=cartpole,acrobot", "gamma=${lr}", "name=g") == 0
    seen = [(config.lr, config.env.id, config.gamma) for config, _ in line.trained]
    assert seen == [
        (0.1, "CartPole-v0", 0.1),
        (0.1, "Acrobot-v1", 0.1),
        (0.2, "CartPole-v0", 0.2),
        (0.2, "Acrobot-v1", 0.2),
    ]
    folder = tmp_path / "outputs" / "sweeps" / "g"
    assert set(line.folders) == {folder}
    assert (line.out, line.err) == ("", "")
    assert sorted(path.name for path in (folder / ".hydra").iterdir()) == [
        "config.yaml",
        "hydra.yaml",
        "overrides.yaml",
    ]


def test_a_grid_may_be_asked_for_in_other_words(line):
    assert line("hydra.mode=MULTIRUN", "train_freq=range(1,4)", "preset=glob(s*)") == 0
    assert [(config.train_freq, config.reward_scale) for config, _ in line.trained] == [
        (1, 0.01),
        (2, 0.01),
        (3, 0.01),
    ]


@pytest.mark.parametrize(
    ("outcome", "status", "text"),
    [
        (lambda config: 1, 1, ""),
        (lambda config: fail(RunError("disk full")), 1, "disk full\n"),
        (lambda config: fail(UserError("another grid's")), 2, "another grid's\n"),
    ],
)
def test_the_status_of_a_grid_is_its_own(line, outcome, status, text):
    line.outcome = outcome
    assert exit_status(line, "-m", "lr=0.1,0.2", "name=g") == status
    assert line.read()[1] == text


def test_a_grid_that_is_interrupted_says_how_to_go_on(line):
    line.outcome = lambda config: INTERRUPTED
    assert exit_status(line, "-m", "lr=0.1,0.2", "name=g") == 130
    program = shlex.join(dqn.compose.resume_command.program())
    assert line.read()[0] == f"to resume: {program} -m lr=0.1,0.2 name=g\n"
    assert exit_status(line, "-m", "lr=0.1,0.2") == 130
    text, _ = line.read()
    assert text.startswith(f"to resume: {program} -m lr=0.1,0.2 hydra.sweep.dir=outputs/sweeps/20")


def fail(error):
    raise error


@pytest.mark.parametrize(
    ("error", "status", "text"),
    [
        (RunError("the disk is full"), 1, "the disk is full\n"),
        (UserError("env.id must ..."), 2, "env.id must ...\n"),
        (
            ValueError("two\nlines"),
            1,
            "ValueError: two lines; HYDRA_FULL_ERROR=1 shows the traceback\n",
        ),
        (KeyboardInterrupt(), 130, "interrupted\n"),
    ],
)
def test_what_fails_in_training_is_one_line(line, error, status, text):
    line.outcome = lambda config: fail(error)
    assert line() == status
    assert line.err == text


def test_a_traceback_is_shown_on_demand(line, monkeypatch):
    line.outcome = lambda config: fail(ValueError("broken"))
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    assert line() == 1
    assert "Traceback" in line.err
    assert os.environ["HYDRA_FULL_ERROR"] == "1"
    assert line("lr=-1") == 2
    assert "Traceback" in line.err
    assert line.err.splitlines()[-1].startswith("lr must be")


def test_the_wish_for_tracebacks_stays_as_it_was(line):
    assert line() == 0
    assert "HYDRA_FULL_ERROR" not in os.environ


def test_an_interrupt_before_training_is_one_line(line, monkeypatch):
    monkeypatch.setattr(
        "dqn.compose.compose.validate_command", lambda *given: fail(KeyboardInterrupt())
    )
    assert line() == 130
    assert line.err == "interrupted\n"


@pytest.mark.parametrize(
    ("words", "page"),
    [
        (["--help"], "short_page"),
        (["-h"], "short_page"),
        (["--help", "all"], "page"),
        (["-h", "all"], "page"),
        (["--help=all"], "page"),
    ],
)
def test_help_is_our_own_page(line, words, page):
    assert line("lr=0.1", *words) == 0
    assert line.out.rstrip("\n") == getattr(run.help_page, page)().rstrip("\n")
    assert line.err == ""


def test_the_composed_configuration_is_shown(line, tmp_path):
    assert line("--cfg", "job", "preset=scaled", "lr=0.5") == 0
    shown = OmegaConf.to_container(OmegaConf.create(line.out))
    assert Config.from_mapping(shown) == Config(lr=0.5, reward_scale=0.01)  # pyright: ignore
    assert line("--cfg", "all", "--package", "hydra.run", "--resolve", "name=x") == 0
    assert "dir: outputs/runs/x" in line.out
    assert line("--cfg", "job", "lrr=1") == 2
    assert len(line.err.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("flags", "part"),
    [
        (["--hydra-help"], "--config-dir"),
        (["--info", "searchpath"], "conf"),
        (["--info", "defaults-tree"], "preset: exercise"),
        (
            ["-sc", "install=bash"],
            "complete -o nospace -o default -F hydra_bash_completion dqn-run",
        ),
    ],
)
def test_hydras_own_flags_work(line, capfd, flags, part):
    try:
        assert line(*flags) == 0
        out = line.out
    except SystemExit as ended:
        assert ended.code in (0, None)  # noqa: PT017
        out = capfd.readouterr().out
    assert part in out


def test_the_version_is_this_packages(line):
    assert line("--version") == 0
    assert line.out.startswith(f"dqn-study {VERSION} tensorflow {version('tensorflow')} ")
    assert line.out.count("\n") == 1


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("dqn-run preset=", {"preset=exercise", "preset=recommended", "preset=scaled"}),
        ("dqn-run lr=0.1 epsilon_d", {"epsilon_decay="}),
        ("dqn-run env.m", {"env.max_episode_steps="}),
    ],
)
def test_the_shell_completes_groups_and_keys(line, monkeypatch, typed, offered):
    monkeypatch.setenv("COMP_LINE", typed)
    assert line("-sc", "query=bash") == 0
    assert set(line.out.split()) == offered


def test_a_folder_of_the_users_own_adds_presets(line, tmp_path):
    (tmp_path / "mine" / "preset").mkdir(parents=True)
    preset = tmp_path / "mine" / "preset" / "fast.yaml"
    preset.write_text("# @package _global_\nlr: 0.5\n")
    assert line("--config-dir", "mine", "preset=fast") == 0
    assert line.config == Config(lr=0.5)
    preset.write_text("# @package _global_\nlrr: 0.5\n")
    assert line("--config-dir", "mine", "preset=fast") == 2
    refusal = "unknown key lrr (in lrr=0.5); did you mean lr?"
    assert line.err == f"{refusal} (in {preset})\n"


def typed(*arguments, command=("-m", "dqn.run"), env=ENVIRONMENT, **options):
    words = [sys.executable, *command, *arguments]
    return subprocess.run(words, env=env, text=True, **options)


def test_a_refusal_reaches_the_shell(tmp_path):
    ended = typed("lrr=1", cwd=tmp_path, capture_output=True)
    assert ended.returncode == 2
    assert ended.stderr == "unknown key lrr (in lrr=1); did you mean lr?\n"
    assert ended.stdout == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "heavy"),
    [
        (["--help"], {"tensorflow", "hydra", "omegaconf", "gymnasium", "numpy", "pandas"}),
        (["--help", "all"], {"tensorflow", "hydra", "omegaconf", "gymnasium", "numpy", "pandas"}),
        (["lr=-1"], {"tensorflow", "gymnasium", "pandas", "matplotlib"}),
        (["env=gymnasium", "env.id=CartPol-v1"], {"tensorflow", "pandas", "matplotlib"}),
    ],
)
def test_help_and_refusals_load_nothing_they_do_not_need(tmp_path, arguments, heavy):
    code = (
        "import sys; from dqn.run import main; main(); "
        "print('LOADED', *(name for name in sys.modules if '.' not in name))"
    )
    ended = typed(*arguments, command=("-c", code), cwd=tmp_path, capture_output=True, check=True)
    loaded = ended.stdout.rpartition("LOADED")[2].split()
    assert "dqn" in loaded
    assert heavy.isdisjoint(loaded)


def test_a_reader_that_leaves_early_sees_no_complaint(tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as gone:
        ended = typed("--help", "all", cwd=tmp_path, stdout=gone, stderr=subprocess.PIPE)
    assert ended.stderr == ""
    assert ended.returncode == 141


def test_help_survives_a_terminal_without_greek(tmp_path):
    ascii_only = ENVIRONMENT | {"PYTHONIOENCODING": "ascii"}
    ended = typed("--help", "all", cwd=tmp_path, env=ascii_only, capture_output=True)
    assert ended.returncode == 0
    assert "gamma" in ended.stdout
    assert ended.stderr == ""
