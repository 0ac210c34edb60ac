"""From a verdict to what people do about it: runbooks, alerts, the heartbeat, and fixes."""
