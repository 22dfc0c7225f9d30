"""Tables: for a terminal, in a pipe, and on a screen that changes."""
