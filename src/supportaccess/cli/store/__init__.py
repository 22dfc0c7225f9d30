"""`supportaccess store`: upkeep of a store and of its key."""
