"""What each process of a server does by itself, again and again."""
