"""What a PNG is drawn with, beside a thread that imports Keras, and with it IPython."""

from commands import python

DRAWN = """
import importlib, sys, types
from dqn.plotting import result_pictures

def import_module(name):
    if name != "dqn.plotting.png":
        raise StopIteration(name)  # which may import IPython
    return importlib.import_module(name)

result_pictures.importlib = types.SimpleNamespace(import_module=import_module)
try:
    result_pictures.load()
except StopIteration as stopped:
    print(stopped)
assert "IPython" not in sys.modules
sys.modules["IPython"] = types.ModuleType("IPython")  # without what it is to have
from matplotlib.figure import Figure
Figure().savefig(sys.argv[1])
"""


def test_pictures_are_drawn_while_another_thread_imports_ipython(tmp_path):
    done = python("-c", DRAWN, str(tmp_path / "a.png"), timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "dqn.agents.networks\n"
    assert (tmp_path / "a.png").stat().st_size > 100
