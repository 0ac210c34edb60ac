"""The hands: what a journey uses to act on the target."""
