"""Who is told: routes, messages, when they are due, the outbox, the heartbeat."""
