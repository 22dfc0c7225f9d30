"""`supportaccess watch`: new and changing requests as they come."""
