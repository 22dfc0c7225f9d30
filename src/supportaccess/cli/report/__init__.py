"""The report of a period: gathered from a store, and written as a page."""
