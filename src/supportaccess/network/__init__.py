"""How the machine reaches others: whose certificates it trusts, and through which proxy."""
