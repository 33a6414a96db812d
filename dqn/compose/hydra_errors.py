"""What Hydra and OmegaConf refuse over several lines, in one line of ours."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import yaml
from hydra.errors import HydraException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException

from dqn.config.fields import override_text
from dqn.runtime.errors import RunError, UserError


@contextmanager
def one_line() -> Iterator[None]:
    """Turn what Hydra and OmegaConf refuse into a `UserError` of one line."""
    try:
        yield
    except OverrideParseException as error:
        text = [line for line in str(error).splitlines() if not line.startswith("Error parsing")]
        reason = "a character that must stand in quotes" if text[0][:5] == "Lexer" else text[0]
        raise UserError(
            f"{override_text(error.override)} cannot be read as key=value ({reason}); write for "
            f"example lr=0.001, and in quotes 'hidden=[64,64]' or \"name='a name'\"",
            str(error.override).partition("=")[0],
        ) from error
    except OmegaConfBaseException as error:
        key = str(error.full_key)
        raise UserError(f"{key}: {first_line(error)}{_unset(error)}", key) from error
    except yaml.YAMLError as error:
        raise UserError(_of_yaml(error)) from error
    except (HydraException, ValueError, ArithmeticError) as error:  # range(1,nan)
        cause = first_line(error.__cause__ or "")
        raise UserError(": ".join(part for part in (str(error), cause) if part)) from error
    except BrokenPipeError:
        raise
    except OSError as error:
        raise RunError(str(error)) from error


def _of_yaml(error: yaml.YAMLError) -> str:
    """Which line of which file cannot be read, and what to do about it."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return f"a file must be YAML, got {' '.join(str(error).split())}; correct it"
    problem = str(getattr(error, "problem", "") or "it cannot be read")
    advice = "correct that line"
    if "duplicate key" in problem:
        advice = "leave one of them out"
    elif "'\\t'" in problem:
        advice = "write spaces instead of the tab"
    where = f"line {mark.line + 1}, column {mark.column + 1}"
    return f"{mark.name} must be YAML, {where}: {problem}; {advice}"


def _unset(error: object) -> str:
    """What to do about an environment variable that is not set."""
    found = re.search(r"Environment variable '(.+?)' not found", str(error))
    return f"; set it, or write ${{oc.env:{found[1]},DEFAULT}}" if found else ""


def first_line(error: object) -> str:
    """Of what was raised."""
    return str(error).partition("\n")[0]
