"""How the machine speaks HTTP to others: whom it trusts, through which proxy, for how long, and how that fails.

`Session` is what speaks it; the client of a shared store uses the connections below it (docs/decisions, 11).
"""
