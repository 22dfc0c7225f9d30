"""The methods of sign-in, a module each, named as the method."""
