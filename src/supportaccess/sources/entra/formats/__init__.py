"""The formats in which Entra's audit log is exported."""
