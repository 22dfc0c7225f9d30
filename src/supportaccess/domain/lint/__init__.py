"""Rules that find access and decisions that are risky."""
