"""Helpers that could be in any product; they know nothing of this one."""
