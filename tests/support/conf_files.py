"""The files of conf/, by group."""

import yaml

from dqn.compose.help_page import CONF


def files(group):
    return sorted(path.stem for path in (CONF / group).glob("*.yaml"))


def said(group, name):
    return yaml.safe_load((CONF / group / f"{name}.yaml").read_text())
