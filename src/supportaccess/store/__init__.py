"""The request store: one protocol and its implementations."""
