"""Where the program's files live, and one profile per tenant."""
