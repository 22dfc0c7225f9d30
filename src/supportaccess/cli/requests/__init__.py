"""Access requests: list, show, decide, import."""
