"""The request store behind a REST server."""
