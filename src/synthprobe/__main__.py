"""``python -m synthprobe``."""

from synthprobe.cli.main import main

main()
