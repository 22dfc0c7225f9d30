"""`supportaccess audit`: the audit log, and what it shows and proves."""
