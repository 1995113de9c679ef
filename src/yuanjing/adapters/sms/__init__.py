"""Senders of short messages."""
