"""Fetching addresses that others gave us."""
