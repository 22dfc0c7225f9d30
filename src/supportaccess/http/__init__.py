"""How the machine reaches others: whose certificates it trusts, through which proxy, for how long."""
