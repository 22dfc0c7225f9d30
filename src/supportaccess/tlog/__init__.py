"""A transparency log: it proves what was written and that nobody altered it, and knows nothing of what entries mean."""
