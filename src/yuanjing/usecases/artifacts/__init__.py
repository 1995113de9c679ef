"""Files of tasks: taken in, handed to providers, copied from them, given out, and removed in the end."""
