"""What `supportaccess watch` is made of."""
