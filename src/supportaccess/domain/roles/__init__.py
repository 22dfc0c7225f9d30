"""Who may decide, by roles: the table of roles, their assignments, and what follows."""
