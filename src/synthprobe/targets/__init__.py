"""Where: the systems we watch, and what may be done there."""
