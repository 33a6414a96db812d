"""What other programs call a setting, and what to write here."""

from collections.abc import Mapping

_OF_A_STUDY = "it belongs to a study: -m hydra/sweeper=optuna"


def _by_name(table: Mapping[str, str]) -> dict[str, str]:
    """A table by single names; several with one meaning stand in one text."""
    return {name: text for names, text in table.items() for name in names.split()}


_SAME = {
    "lr": "learning_rate alpha adam_lr step_size",
    "gamma": "discount discount_factor discount_rate",
    "hidden": "network_arch layers net_arch hidden_sizes hidden_layers hidden_dims",
    "batch_size": "minibatch_size",
    "buffer_size": "memory_size replay_size replay_buffer_size replay_capacity replay_memory_size "
    "buffer_capacity",
    "learning_starts": "replay_start_size warmup warmup_steps min_replay_size",
    "train_freq": "update_every update_freq update_frequency train_frequency",
    "target_update": "target_update_interval target_update_freq target_update_frequency "
    "target_network_frequency target_network_update_freq sync_freq",
    "tau": "target_network_update_rate target_tau soft_update soft_update_tau",
    "epsilon_start": "initial_epsilon max_epsilon epsilon start_e eps_start "
    "exploration_initial_eps",
    "epsilon_min": "final_epsilon min_epsilon end_e eps_end epsilon_end epsilon_final "
    "exploration_final_eps",
    "exploration_steps": "epsilon_decay_steps",
    "double": "double_dqn double_q ddqn",
    "grad_clip": "max_grad_norm clip_grad gradient_clip gradient_clipping clip_gradients "
    "clip_gradient clipnorm",
    "episodes": "nb_episodes n_episodes num_episodes",
    "seeds": "n_seeds num_seeds",
    "first_seed": "seed random_seed",
    "workers": "n_jobs num_workers n_workers num_threads n_threads",
    "fleet": "cluster",
    "ray_address": "address",
    "name": "study_name exp_name run_name experiment",
    "test_episodes": "n_eval_episodes eval_episodes n_evaluations",
    "env.max_episode_steps": "time_limit max_steps_per_episode max_episode_length",
    "env.id": "gym_id env_id env_name",
    "env": "environment",
}
SYNONYMS = {name: key for key, names in _SAME.items() for name in names.split()}
"""A name elsewhere, with _ for -, and the key of ours that takes the same value."""

_EXPORT = "python -m sweeps export FOLDER --to tensorboard"
_NONE = {
    "loss loss_fn loss_function loss_type": "huber_delta=inf is the squared loss, huber_delta=1.0 "
    "is Huber's",
    "gradient_steps": "one update is made every train_freq steps",
    "n_envs num_envs vec_env": "a training has one environment, and seeds= trains several of them "
    "side by side",
    "algo": "this program trains DQN; double=true is double DQN",
    "policy": "see network=, hidden= and activation=",
    "tensorboard_log tensorboard wandb wandb_project_name track": _EXPORT,
    "device cuda gpu use_gpu": "networks of this size train on processor cores, see workers=",
    "verbose progress log_interval": "progress is shown where there is a terminal",
    "eval_freq eval_interval evaluate_every": "a network is tested after training, see "
    "test_episodes=",
    "save_freq save_model checkpoint_freq": "what is finished is saved at once, and the same "
    "command resumes",
    "render render_mode capture_video video": "episode.gif is drawn after training",
    "n_steps n_step nstep multi_step": "targets look one step ahead",
    "prioritized_replay prioritized per prioritized_replay_alpha": "minibatches are drawn evenly "
    "from the replay memory",
    "direction": "it follows from hydra.sweeper.objective, as solved_at is minimised and every "
    "return maximised",
    "env_wrapper wrapper wrappers": "register the wrapped environment in a module of your own and "
    "write env=gymnasium env.id=MODULE:ID",
}
_OTHER = {
    "total_timesteps n_timesteps num_timesteps timesteps num_steps frames": "did you mean steps, "
    "with episodes=0 unless the episodes may end it first?",
    "exploration_fraction": "did you mean exploration_steps, in environment steps and not as a "
    "share, with epsilon_schedule=linear?",
    "eps_decay": "did you mean epsilon_decay, the share of epsilon that is lost per action "
    "(0.0005, where others write a factor of 0.9995)?",
    "polyak": "did you mean tau, which is 1 - polyak?",
    "policy_kwargs": "write hidden=[64,64] and activation=relu instead",
    "env_kwargs": "write +env.kwargs.KEY=VALUE for each",
    "huber_loss": "did you mean huber_delta? huber_delta=1.0 is Huber's usual loss",
    "dueling dueling_dqn": "write the name of one of the networks, network=NAME; --help all lists "
    "them",
    "output_dir log_dir logdir log_folder save_path outdir out": "did you mean name=NAME, or "
    "hydra.run.dir=PATH (hydra.sweep.dir=PATH with -m)?",
    "optimize_hyperparameters optimize": "write -m sweep=tune, a study of the hyperparameters",
    "gym_packages gym_package env_module": "write the module before the id: env=gymnasium "
    "env.id=MODULE:ID",
    "multirun": "did you mean the flag -m?",
    "storage": f"did you mean hydra.sweeper.storage? {_OF_A_STUDY}",
    "n_trials max_trials num_trials": f"did you mean hydra.sweeper.n_trials? {_OF_A_STUDY}",
    "objective": f"did you mean hydra.sweeper.objective? {_OF_A_STUDY}",
    "aggregate": f"did you mean hydra.sweeper.aggregate? {_OF_A_STUDY}",
    "racing": f"did you mean hydra.sweeper.racing? {_OF_A_STUDY}",
    "rungs": f"did you mean hydra.sweeper.rungs? {_OF_A_STUDY}",
    "pruner": f"did you mean hydra/sweeper/pruner? {_OF_A_STUDY}",
    "sampler": f"did you mean hydra/sweeper/sampler? {_OF_A_STUDY}",
    "timeout": f"did you mean hydra.sweeper.timeout, in seconds? {_OF_A_STUDY}; steps= and "
    "episodes= bound a training",
    "n_startup_trials": f"did you mean hydra.sweeper.sampler.n_startup_trials? {_OF_A_STUDY}",
}
ADVICE = _by_name({names: f"there is none: {why}" for names, why in _NONE.items()} | _OTHER)
"""A name elsewhere, and what to write where no key of ours takes the same value."""

# What hydra-optuna-sweeper and Optuna call a setting of a study, below hydra.sweeper.
_SWEEPER = {
    "direction": ADVICE["direction"],
    "directions": "there is one objective, hydra.sweeper.objective, whose direction is known",
    "n_jobs": "write workers= for processes, or hydra.sweeper.parallel= for trials open at once",
    "study_name": "write name=, which names folder and study",
    "load_if_exists": "leave it out: the same command resumes the study of its name",
    "max_failure_rate": "leave it out: a trial that fails is one line, and the others continue",
    "search_space": "write hydra.sweeper.params, or the sweeps themselves: "
    "'lr=tag(log,interval(1e-4,1e-2))'",
    "custom_search_space": "there is none, as nothing that a configuration names is called: write "
    "the sweeps themselves, 'lr=tag(log,interval(1e-4,1e-2))'",
    "optuna_config": "its settings stand directly below hydra.sweeper: hydra.sweeper.n_trials",
    "n_startup_trials": "did you mean hydra.sweeper.sampler.n_startup_trials, or "
    "hydra.sweeper.pruner.n_startup_trials?",
    "sampler.seed": "write hydra.sweeper.seed",
    "max_batch_size": "leave it out: hydra.sweeper.parallel says how many trials are open at once",
    "name": "write name=, which names folder and study",
    "metric": "did you mean hydra.sweeper.objective?",
    "seeds": "write seeds=, which is no setting of the sweeper",
    "url": "did you mean hydra.sweeper.storage?",
}
_LEFT_OUT = (
    "consider_prior", "prior_weight", "consider_magic_clip", "consider_endpoints", "gamma",
    "weights", "warn_independent_sampling", "constraints_func", "categorical_distance_func",
)  # fmt: skip
_SWEEPER.update({f"sampler.{name}": "leave it out: Optuna's default holds" for name in _LEFT_OUT})

LAUNCHERS = (
    "lanes is the only one: leave it out; workers=N sets how many processes train, fleet=ray "
    "trains on a Ray cluster, and a queue such as Slurm's starts the whole command"
)
SAMPLERS = (
    "there is one objective and no constraint: choose tpe (the default), random, qmc, cmaes, gp, "
    "grid or one_at_a_time"
)


def advice_on(name: str) -> str | None:
    """What to write instead of a key of another program; None where nothing is known."""
    word = name.lstrip("-").replace("-", "_").lower()
    if word in SYNONYMS or word in ADVICE:
        return f"did you mean {SYNONYMS[word]}?" if word in SYNONYMS else ADVICE[word]
    first, _, rest = word.partition(".")
    if rest and first in ("sampler", "pruner", "sweeper"):
        name = word.removeprefix("sweeper.")
        known = advice_on_sweeper(name, is_study=False)
        return known or f"did you mean hydra.sweeper.{name}? {_OF_A_STUDY}"
    if rest and first in ("env_kwargs", "kwargs"):
        return f"did you mean +env.kwargs.{name.partition('.')[2]}?"
    return None


def advice_on_sweeper(name: str, is_study: bool = True) -> str | None:
    """The same for a setting below `hydra.sweeper`, such as "direction" or "sampler.seed"."""
    advice = _SWEEPER.get(name) or _SWEEPER.get(name.partition(".")[0])
    if advice and not is_study and "hydra.sweeper." in advice:
        return f"{advice} ({_OF_A_STUDY})"
    return advice
