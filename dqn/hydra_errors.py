"""What Hydra and OmegaConf refuse, over several lines, as a line of ours."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from hydra.errors import HydraException, OverrideParseException
from omegaconf.errors import OmegaConfBaseException

from dqn.errors import RunError, UserError
from dqn.schema import override_text


@contextmanager
def one_line() -> Iterator[None]:
    """Turn what Hydra and OmegaConf refuse into a `UserError` of one line."""
    try:
        yield
    except OverrideParseException as error:
        told = [line for line in str(error).splitlines() if not line.startswith("Error parsing")]
        reason = "a character that must stand in quotes" if told[0][:5] == "Lexer" else told[0]
        raise UserError(
            f"{override_text(error.override)} cannot be read as key=value ({reason}); write for "
            f"example lr=0.001, and in quotes 'hidden=[64,64]' or \"name='a name'\""
        ) from error
    except OmegaConfBaseException as error:
        raise UserError(f"{error.full_key}: {first_line(error)}{_unset(error)}") from error
    except (HydraException, ValueError, ArithmeticError) as error:  # range(1,nan)
        cause = first_line(error.__cause__ or "")
        raise UserError(": ".join(part for part in (str(error), cause) if part)) from error
    except BrokenPipeError:
        raise
    except OSError as error:
        raise RunError(str(error)) from error


def _unset(error: object) -> str:
    """What to do about an environment variable that is not set."""
    found = re.search(r"Environment variable '(.+?)' not found", str(error))
    return f"; set it, or write ${{oc.env:{found[1]},DEFAULT}}" if found else ""


def first_line(error: object) -> str:
    """Of what was raised."""
    return str(error).partition("\n")[0]
