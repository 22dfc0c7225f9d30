"""How a person or a program proves to a shared store who they are."""
