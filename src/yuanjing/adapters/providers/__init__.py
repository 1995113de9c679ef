"""Providers' wire protocols, beside the hot path."""
