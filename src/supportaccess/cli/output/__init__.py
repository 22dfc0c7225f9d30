"""Everything that is written to a terminal or a pipe goes through here."""
