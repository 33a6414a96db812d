"""What Hydra and OmegaConf refuse over several lines, in one line of ours."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import yaml
from hydra.errors import HydraException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException

from dqn.config.fields import override_text
from dqn.runtime.errors import RunError, UserError, first_line


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
        key, unset = str(error.full_key), re.search(r"variable '(.+?)' not found", str(error))
        advice = f"; set it, or write ${{oc.env:{unset[1]},DEFAULT}}" if unset else ""
        raise UserError(f"{key}: {first_line(error)}{advice}", key) from error
    except yaml.YAMLError as error:
        raise UserError(_of_yaml(error)) from error
    except (HydraException, ValueError, ArithmeticError) as error:  # range(1,nan)
        cause = first_line(error.__cause__) if error.__cause__ else ""
        raise UserError(": ".join(part for part in (str(error), cause) if part)) from error
    except BrokenPipeError:
        raise
    except OSError as error:
        raise RunError(str(error)) from error


def _of_yaml(error: yaml.YAMLError) -> str:
    """Which line of which file cannot be read, and what to do about it."""
    if not isinstance(error, yaml.MarkedYAMLError) or (mark := error.problem_mark) is None:
        return f"a file must be YAML, got {' '.join(str(error).split())}; correct it"
    problem, advice = error.problem or "it cannot be read", "correct that line"
    if "duplicate key" in problem:
        advice = "leave one of them out"
    elif "'\\t'" in problem:
        advice = "write spaces instead of the tab"
    where = f"line {mark.line + 1}, column {mark.column + 1}"
    return f"{mark.name} must be YAML, {where}: {problem}; {advice}"
