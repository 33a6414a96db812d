"""From a command line to checked configurations, with Hydra; nothing is trained or written."""
