"""The REST server around the SQL store."""
