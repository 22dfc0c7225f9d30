"""The rules: records, lifecycle, who may do what, the audit log. No I/O; the clock is passed in."""
