"""Keeps every lane busy: the scheduler feeds an engine of blocks and owns all writing."""
