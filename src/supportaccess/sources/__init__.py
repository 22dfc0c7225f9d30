"""Readers of a provider's own record. `export` reads files; it is the place to begin."""
