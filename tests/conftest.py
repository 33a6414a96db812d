"""What holds for every test: TensorFlow set up as a run sets it up, and pytest's streams left open.

absl, TensorFlow's logger, closes the stream it was made with when Hydra sets logging up anew in the
same process; were that pytest's own, every later test would fail. It never closes `__stderr__`.
Hypothesis tries the same cases each time, others with `--hypothesis-profile=default`; it times
nothing, as the machine may be busy.
"""

import sys

from absl import logging
from hypothesis import settings

from dqn.execution import runtime

runtime.prepare()
logging.get_absl_handler().python_handler.setStream(sys.__stderr__)
settings.register_profile("repeatable", deadline=None, derandomize=True)
settings.load_profile("repeatable")
