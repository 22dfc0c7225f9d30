"""Posts what happens to URLs that the operator's settings name, signed by Standard Webhooks."""
