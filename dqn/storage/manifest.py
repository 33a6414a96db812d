"""config.yaml and sweep.yaml: what was composed, and that a folder of results holds that alone."""

import uuid
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from dqn.config import Config
from dqn.config.config import KEYS, NON_RESULT_KEYS, fields_of
from dqn.config.fields import override_text, short_repr
from dqn.runtime.atomic_write import replacing
from dqn.runtime.errors import RunError, UserError
from dqn.statistics.metrics import METRICS, STATISTICS
from dqn.storage.columns import COLUMN_OF_KEY
from dqn.storage.safe_yaml import Difference, differences, plain, plain_of, written

CONFIG, SWEEP = "config.yaml", "sweep.yaml"
FREE = {"seeds", *NON_RESULT_KEYS}
"""Keys that may change from one command to the next: more seeds are added, and on the others no
result depends."""

_IDENTITY = "identity"
_SHOWN = 4  # differences in a message


def check_or_write(
    folder: Path,
    config: Config,
    sweep: Mapping[str, Any] | None = None,
    growable_keys: Collection[str] = (),
    defaults: Mapping[str, Any] | None = None,
    is_dry: bool = False,
) -> str | None:
    """Write config.yaml, and sweep.yaml of a sweep, or hold them against what `folder` has.

    Where it `is_dry` nothing is written.

    Returns the sweep's identity, made once with its folder; None of a run. Both files are checked
    before either is written. The keys in `FREE` may differ, and of the sweep those that
    `growable_keys` names: of `seeds` and of these the higher number is what the file then says.
    Any other difference raises `UserError`, which shows it; a file that cannot be read raises
    `RunError`. What a record does not say, as the version that wrote it did not know it, is as in
    `defaults`.
    """
    new = config.to_mapping()
    old, old_sweep = read_config(folder / CONFIG), _read_identified(folder / SWEEP)
    if sweep is None and old_sweep is not None:
        raise UserError(f"{folder}: must hold a run, holds a sweep; {_ANOTHER}")
    if sweep is not None and old is not None and old_sweep is None:
        raise UserError(f"{folder}: must hold a sweep, holds a run; {_ANOTHER}")
    if old is not None:
        _refuse(folder / CONFIG, [d for d in differences(old, new) if d[0] not in FREE])
    identity = None
    if sweep is not None:
        known = {**(defaults or {}), **({} if old is None else {"seeds": old["seeds"]})}
        record = plain(_yaml(sweep))
        identity = _keep_sweep(folder / SWEEP, old_sweep, record, growable_keys, known, is_dry)
    if is_dry:
        return identity
    if old is None or old["seeds"] < new["seeds"]:
        _write(folder / CONFIG, new)
    return identity


def varied(
    folder: Path, sweep: Mapping[str, Any] | None, swept: Iterable[str] = ()
) -> Callable[[str], bool]:
    """Whether trials of the `sweep` in `folder` may differ in a column of hyperparameters.

    `swept` are keys and groups that do, besides those that its record says. Where a group does, or
    it is not known what, any column may that config.yaml has a key for: an older version's has none
    for what did not exist then.
    """
    params = (sweep or {}).get("params")
    names = {*swept, *(params if isinstance(params, Mapping) else ())}
    anything = sweep is not None and (not names or not names <= KEYS.keys())
    there = _read(folder / CONFIG, "the configuration of this folder") or {}
    keys = {column: key for key, column in COLUMN_OF_KEY.items()} | {"env": "env.id"}

    def differs(column: str) -> bool:
        key = keys.get(column, column)
        outer = key.partition(".")[0]
        return key in names or outer in names or (anything and outer in there)

    return differs


def write_preset(path: Path, config: Config, title: str) -> None:
    """A file for conf/preset/ that sets every hyperparameter of `config`, and no other key."""
    mapping = {n: v for n, v in config.to_mapping().items() if n not in fields_of("run")}
    text = f"# @package _global_\n# {title}\n\n{_yaml(mapping)}"
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _keep_sweep(
    path: Path,
    old: Mapping[str, Any] | None,
    new: dict[str, Any],
    growable_keys: Collection[str],
    defaults: Mapping[str, Any],
    is_dry: bool,
) -> str:
    if old is None:
        identity = uuid.uuid4().hex
        if not is_dry:
            _write(path, {_IDENTITY: identity, **new})
        return identity
    identity = old[_IDENTITY]
    known = {name: value for name, value in plain(_yaml(defaults)).items() if name in new}
    changed = list(differences(_filled(old, known), _filled({_IDENTITY: identity, **new}, known)))
    numbers = int | float
    _refuse(path, [(name, was, now) for name, was, now in changed
                   if not (name in growable_keys and isinstance(was, numbers)
                           and isinstance(now, numbers))])  # fmt: skip
    if not is_dry and any(now > was for _, was, now in changed):
        highest = {name: max(was, now) for name, was, now in changed}
        _write(path, _with({_IDENTITY: identity, **new}, highest))
    return identity


def _filled(mapping: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """`mapping` with what only the nested `defaults` have."""
    both = {**defaults, **mapping}
    for name, value in defaults.items():
        if isinstance(value, Mapping) and isinstance(both[name], Mapping):
            both[name] = _filled(both[name], value)
    return both


def _with(mapping: Mapping[str, Any], values: Mapping[str, Any], outer: str = "") -> dict[str, Any]:
    """`mapping` with `values` by dotted names."""
    return {
        name: _with(value, values, f"{outer}{name}.")
        if isinstance(value, Mapping)
        else values.get(outer + name, value)
        for name, value in mapping.items()
    }


def _refuse(path: Path, changed: Sequence[Difference]) -> None:
    if not changed:
        return
    text = [f"{name} was {_format(was)} and is now {_format(now)}" for name, was, now in changed]
    more = f"; and {len(text) - _SHOWN} more" if len(text) > _SHOWN else ""
    back = "what it was"
    if path.name == CONFIG:  # whose keys are those of the command line
        back = " ".join(f"{name}={override_text(was)}" for name, was, _ in changed)
    what = "configuration" if path.name == CONFIG else "sweep"
    raise UserError(
        f"{path}: a folder of results holds one {what}, but {'; '.join(text[:_SHOWN])}{more}; "
        f"{_ANOTHER}, or go back to {back}"
    )


_ANOTHER = "choose another folder with name=NAME"


def _format(value: Any) -> str:
    return override_text(value) if isinstance(value, bool | str) else short_repr(value)


def read_config(path: Path) -> dict[str, Any] | None:
    """What config.yaml at `path` says, None where there is none; `RunError` if it is damaged."""
    mapping = _read(path, "the configuration of this folder")
    if mapping is None:
        return None
    try:
        return Config.from_mapping(mapping).to_mapping()
    except UserError as error:
        raise _damaged(path, "the configuration of this folder", error) from error


def read_sweep(path: Path) -> dict[str, Any] | None:
    """What sweep.yaml at `path` says, None where there is none.

    Raises `RunError` if it is damaged, or what it says is not what a sweep's record can say.
    """
    mapping = _read_identified(path)
    for name, (fits, what) in _READ.items():
        if mapping is not None and name in mapping and not fits(mapping[name]):
            raise RunError(
                f"{path}: {name} must be {what}, is {short_repr(mapping[name])}; {_RESTORE}"
            )
    return mapping


def _read_identified(path: Path) -> dict[str, Any] | None:
    mapping = _read(path, "the record of this folder's sweep")
    if mapping is not None and not isinstance(mapping.get(_IDENTITY), str):
        raise RunError(f"{path}: must have the {_IDENTITY} of its sweep, has none; {_RESTORE}")
    return mapping


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _are_swept(value: Any) -> bool:
    named = isinstance(value, dict) and all(isinstance(name, str) for name in value)
    return named and all(isinstance(values, str | list) for values in value.values())


def _are_whole(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_whole, value))


_AGGREGATES = (*STATISTICS, "low")
# What is read of a sweep's record where it is there, and in words what it must be.
_READ: dict[str, tuple[Callable[[Any], bool], str]] = {
    "kind": (lambda value: isinstance(value, str), "text"),
    "objective": (lambda value: value in tuple(METRICS), f"one of {', '.join(METRICS)}"),
    "aggregate": (lambda value: value in _AGGREGATES, f"one of {', '.join(_AGGREGATES)}"),
    "n_trials": (_is_whole, "a whole number >= 0"),
    "seed": (_is_whole, "a whole number >= 0"),
    "racing": (lambda value: value is None or _are_whole(value), "null or a list of seeds"),
    "sampler": (lambda value: isinstance(value, dict), "a mapping"),
    "params": (_are_swept, "a mapping of names to sweeps"),
    "trials": (lambda value: isinstance(value, list), "a list"),
}


def _read(path: Path, what: str) -> dict[str, Any] | None:
    if not path.exists():
        return None
    try:
        mapping = plain_of(path)
    except (OSError, ValueError) as error:
        raise _damaged(path, what, error) from error
    if not isinstance(mapping, dict):
        raise RunError(
            f"{path}: must be a mapping of keys to values, is {short_repr(mapping)}; {_RESTORE}"
        )
    return mapping


_RESTORE = "restore it, or choose another folder with name=NAME"


def _damaged(path: Path, what: str, error: Exception) -> RunError:
    reason = " ".join(str(error).split())
    return RunError(f"{path}: must be {what}: {reason}; {_RESTORE}")


def _write(path: Path, mapping: Mapping[str, Any]) -> None:
    with replacing(path, durable=True) as temporary:
        temporary.write_text(_yaml(mapping), encoding="utf-8")


def _yaml(mapping: Mapping[str, Any]) -> str:
    return written(dict(mapping))
