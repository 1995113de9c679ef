"""What the use cases ask of the world; each protocol's docstring is the contract that its adapters pass."""
