"""Mutants of `domain/`: small changes of its functions, each of which some test must notice.

`.venv/bin/python -m tests.mutation --help`; a step of `make soak`. Why it is our own: docs/decisions/0028-mutants.md.

Every mutant is a process of its own, forked from one that has imported the product and its tests. There the code of one
function is replaced, and those tests run that reach the function, until one fails. What is constant for a module or a
class (tables, defaults of parameters and fields) is not changed.
"""
