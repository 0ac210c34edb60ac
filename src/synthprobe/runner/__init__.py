"""Owns a run from outside pytest: inventory, clock, signals, and what is left to do when a child dies."""

from synthprobe.runner.run import RunOrder, run_again, run_journeys

__all__ = ["RunOrder", "run_again", "run_journeys"]
