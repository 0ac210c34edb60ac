"""One slot, dealt out to several machines and locations: planned, looked at in parts, and concluded once."""
