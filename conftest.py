"""Journeys against the demo start a dispatch centre of their own where none is served."""

from synthprobe_demo.local_centre import pytest_configure

__all__ = ["pytest_configure"]
