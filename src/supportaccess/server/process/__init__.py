"""The server as processes: its start and stop, TLS, time limits and checks."""
