"""The composition root: settings → adapters → use cases → servers; the only package that names an adapter."""
