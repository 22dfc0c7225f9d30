"""Microsoft Entra: its audit log as exports have it, and the requests that its events tell of."""
