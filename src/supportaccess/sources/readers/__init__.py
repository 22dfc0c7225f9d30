"""What readers of exported records share: files, archives, JSON piece by piece, limits."""
