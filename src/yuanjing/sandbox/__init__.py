"""Simulators of what the platform talks to; a process of its own, reached over HTTP only."""
