"""The version of this program: written into results, shown by --version, read by the build."""

VERSION = "0.3.0"
