"""Signing in: codes, sessions, confirmations, passwords and one-time passwords."""

from yuanjing.usecases.signin.parts import SignedIn, SignInParts, SignInPolicy

__all__ = ["SignInParts", "SignInPolicy", "SignedIn"]
