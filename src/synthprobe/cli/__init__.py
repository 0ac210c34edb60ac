"""The command line: ``synthprobe``."""
