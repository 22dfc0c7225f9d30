"""The formats of `--output`."""
