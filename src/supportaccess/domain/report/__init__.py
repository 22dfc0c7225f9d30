"""The figures of a report on a period."""
