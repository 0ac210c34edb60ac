"""Step to evidence: what was seen, redacted where it is born."""
