"""The ports made real; adapters do not know each other."""
