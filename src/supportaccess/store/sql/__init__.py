"""The request store on SQL: one store, and a small engine for each database."""
