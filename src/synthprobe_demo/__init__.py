"""A system to watch: a dispatch centre with faults that can be switched on. synthprobe itself never imports it."""
