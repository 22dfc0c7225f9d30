"""The doctor's checks: of this machine, of the embedded store, and of a tenant whose store is a shared one."""
