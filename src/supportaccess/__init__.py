"""The command line for vendor support access requests."""

__version__ = "0.1.0"
