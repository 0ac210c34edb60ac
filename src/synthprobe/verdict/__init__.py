"""Pure judgement: records in, verdict out; no clock, no database, no network."""
