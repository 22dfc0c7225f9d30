"""`supportaccess login`, `logout` and `whoami`."""
