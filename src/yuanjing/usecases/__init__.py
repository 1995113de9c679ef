"""One callable per thing that a caller can do; each opens and commits its own units of work."""
