"""The commands: one module for a command or a group of them. Each is imported only when it runs."""
