"""Simulated video providers: asynchronous tasks over the real wire protocols, real MP4 files as results."""
