"""Keeps every lane busy: the driver feeds an engine of blocks and owns all writing."""
