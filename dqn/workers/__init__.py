"""Where engines run: in this process, in others on this machine, or over a Ray cluster."""
