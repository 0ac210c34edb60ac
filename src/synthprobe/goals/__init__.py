"""Objectives, the impact of statements, measures and coverage."""
