"""What other programs call a setting, and what to write here."""

import difflib
import re

_OF_A_STUDY = "it belongs to a study: -m hydra/sweeper=optuna"

SYNONYMS = {
    "learning_rate": "lr",
    "alpha": "lr",
    "adam_lr": "lr",
    "step_size": "lr",
    "discount": "gamma",
    "discount_factor": "gamma",
    "discount_rate": "gamma",
    "network_arch": "hidden",
    "layers": "hidden",
    "net_arch": "hidden",
    "hidden_sizes": "hidden",
    "hidden_layers": "hidden",
    "hidden_dims": "hidden",
    "minibatch_size": "batch_size",
    "memory_size": "buffer_size",
    "replay_size": "buffer_size",
    "replay_buffer_size": "buffer_size",
    "replay_capacity": "buffer_size",
    "replay_memory_size": "buffer_size",
    "replay_start_size": "learning_starts",
    "buffer_capacity": "buffer_size",
    "warmup": "learning_starts",
    "warmup_steps": "learning_starts",
    "min_replay_size": "learning_starts",
    "update_every": "train_freq",
    "update_freq": "train_freq",
    "update_frequency": "train_freq",
    "train_frequency": "train_freq",
    "target_update_interval": "target_update",
    "target_update_freq": "target_update",
    "target_update_frequency": "target_update",
    "target_network_frequency": "target_update",
    "target_network_update_freq": "target_update",
    "sync_freq": "target_update",
    "target_network_update_rate": "tau",
    "target_tau": "tau",
    "soft_update": "tau",
    "soft_update_tau": "tau",
    "initial_epsilon": "epsilon_start",
    "max_epsilon": "epsilon_start",
    "final_epsilon": "epsilon_min",
    "min_epsilon": "epsilon_min",
    "epsilon_decay_steps": "exploration_steps",
    "epsilon": "epsilon_start",
    "start_e": "epsilon_start",
    "eps_start": "epsilon_start",
    "exploration_initial_eps": "epsilon_start",
    "end_e": "epsilon_min",
    "eps_end": "epsilon_min",
    "epsilon_end": "epsilon_min",
    "epsilon_final": "epsilon_min",
    "exploration_final_eps": "epsilon_min",
    "double_dqn": "double",
    "double_q": "double",
    "ddqn": "double",
    "max_grad_norm": "grad_clip",
    "clip_grad": "grad_clip",
    "gradient_clip": "grad_clip",
    "gradient_clipping": "grad_clip",
    "clip_gradients": "grad_clip",
    "clip_gradient": "grad_clip",
    "clipnorm": "grad_clip",
    "nb_episodes": "episodes",
    "n_episodes": "episodes",
    "num_episodes": "episodes",
    "n_seeds": "seeds",
    "num_seeds": "seeds",
    "seed": "first_seed",
    "random_seed": "first_seed",
    "n_jobs": "workers",
    "num_workers": "workers",
    "n_workers": "workers",
    "num_threads": "workers",
    "n_threads": "workers",
    "cluster": "fleet",
    "address": "ray_address",
    "study_name": "name",
    "exp_name": "name",
    "run_name": "name",
    "experiment": "name",
    "n_eval_episodes": "test_episodes",
    "eval_episodes": "test_episodes",
    "n_evaluations": "test_episodes",
    "time_limit": "env.max_episode_steps",
    "max_steps_per_episode": "env.max_episode_steps",
    "max_episode_length": "env.max_episode_steps",
    "gym_id": "env.id",
    "env_id": "env.id",
    "env_name": "env.id",
    "environment": "env",
}
"""A name elsewhere, with _ for -, and the key of ours that takes the same value."""

_BUDGET = "steps, with episodes=0 unless the episodes may end it first"
ADVICE = {
    **dict.fromkeys(
        ("total_timesteps", "n_timesteps", "num_timesteps", "timesteps", "num_steps", "frames"),
        f"did you mean {_BUDGET}?",
    ),
    "exploration_fraction": "did you mean exploration_steps, in environment steps and not as a "
    "share, with epsilon_schedule=linear?",
    "eps_decay": "did you mean epsilon_decay, the share of epsilon that is lost per action "
    "(0.0005, where others write a factor of 0.9995)?",
    "polyak": "did you mean tau, which is 1 - polyak?",
    "policy_kwargs": "write hidden=[64,64] and activation=relu instead",
    "env_kwargs": "write +env.kwargs.KEY=VALUE for each",
    "loss": "there is none: huber_delta=inf is the squared loss, huber_delta=1.0 is Huber's",
    "loss_fn": "there is none: huber_delta=inf is the squared loss, huber_delta=1.0 is Huber's",
    "huber_loss": "did you mean huber_delta? huber_delta=1.0 is Huber's usual loss",
    "gradient_steps": "there is none: one update is made every train_freq steps",
    "n_envs": "there is none: a training has one environment, and seeds= trains several of them "
    "side by side",
    "algo": "there is none: this program trains DQN; double=true is double DQN",
    "policy": "there is none: see network=, hidden= and activation=",
    "tensorboard_log": "there is none: python -m sweeps export FOLDER --to tensorboard",
    "track": "there is none: python -m sweeps export FOLDER --to tensorboard",
    "device": "there is none: networks of this size train on processor cores, see workers=",
    "verbose": "there is none: progress is shown where there is a terminal",
    "eval_freq": "there is none: a network is tested after training, see test_episodes=",
    "save_freq": "there is none: what is finished is saved at once, and the same command resumes",
    "render": "there is none: episode.gif is drawn after training",
    "n_steps": "there is none: targets look one step ahead",
    "dueling": "write the name of one of the networks, network=NAME; --help lists them",
    "prioritized_replay": "there is none: minibatches are drawn evenly from the replay memory",
    "timeout": "there is none: Ctrl-C stops, and the same command resumes; steps= and episodes= "
    "bound a training, hydra.sweeper.n_trials= a study",
    "output_dir": "did you mean name=NAME, or hydra.run.dir=PATH (hydra.sweep.dir=PATH with -m)?",
    "direction": "there is none: it follows from hydra.sweeper.objective, as solved_at is "
    "minimised and every return maximised",
    "storage": f"did you mean hydra.sweeper.storage? {_OF_A_STUDY}",
    "n_trials": f"did you mean hydra.sweeper.n_trials? {_OF_A_STUDY}",
    "objective": f"did you mean hydra.sweeper.objective? {_OF_A_STUDY}",
    "aggregate": f"did you mean hydra.sweeper.aggregate? {_OF_A_STUDY}",
    "racing": f"did you mean hydra.sweeper.racing? {_OF_A_STUDY}",
    "rungs": f"did you mean hydra.sweeper.rungs? {_OF_A_STUDY}",
    "pruner": f"did you mean hydra/sweeper/pruner? {_OF_A_STUDY}",
    "sampler": f"did you mean hydra/sweeper/sampler? {_OF_A_STUDY}",
    "n_startup_trials": f"did you mean hydra.sweeper.sampler.n_startup_trials? {_OF_A_STUDY}",
    "optimize_hyperparameters": "write -m sweep=tune, a study of the hyperparameters",
    "env_wrapper": "there is none: register the wrapped environment in a module of your own and "
    "write env=gymnasium env.id=MODULE:ID",
    "gym_packages": "write the module before the id: env=gymnasium env.id=MODULE:ID",
    "multirun": "did you mean the flag -m?",
}
"""A name elsewhere, and what to write where no key of ours takes the same value."""
for _name, _others in {
    "n_envs": ("num_envs", "vec_env"),
    "device": ("cuda", "gpu", "use_gpu"),
    "tensorboard_log": ("tensorboard", "wandb", "wandb_project_name"),
    "output_dir": ("log_dir", "logdir", "log_folder", "save_path", "outdir", "out"),
    "render": ("render_mode", "capture_video", "video"),
    "dueling": ("dueling_dqn",),
    "prioritized_replay": ("prioritized", "per", "prioritized_replay_alpha"),
    "n_steps": ("n_step", "nstep", "multi_step"),
    "n_trials": ("max_trials", "num_trials"),
    "optimize_hyperparameters": ("optimize",),
    "loss": ("loss_function", "loss_type"),
    "env_wrapper": ("wrapper", "wrappers"),
    "gym_packages": ("gym_package", "env_module"),
    "verbose": ("progress", "log_interval"),
    "save_freq": ("save_model", "checkpoint_freq"),
    "eval_freq": ("eval_interval", "evaluate_every"),
}.items():
    ADVICE.update(dict.fromkeys(_others, ADVICE[_name]))

# What hydra-optuna-sweeper and Optuna call a setting of a study, below hydra.sweeper.
_SWEEPER = {
    "direction": ADVICE["direction"],
    "directions": "there is one objective, hydra.sweeper.objective, whose direction is known",
    "n_jobs": "write workers= for processes, or hydra.sweeper.parallel= for trials open at once",
    "study_name": "write name=, which names folder and study",
    "timeout": "there is none, as results would depend on the machine: bound the study with "
    "hydra.sweeper.n_trials, or stop it with Ctrl-C and give the same command to resume",
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
    word = re.sub(r"^-+", "", name).replace("-", "_").lower()
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


def known_names(word: str) -> list[str]:
    """Names of other programs that are close to `word`."""
    return difflib.get_close_matches(word.lower(), [*SYNONYMS, *ADVICE], n=1, cutoff=0.8)
