"""From failures to causes: facts, rules, fingerprints, and the life of an incident."""
