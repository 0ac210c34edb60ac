"""From a verdict to what people do about it."""
