"""`supportaccess tenant`: the profiles of tenants."""
