"""From a verdict to an action: alerts, the heartbeat, and fixes."""
