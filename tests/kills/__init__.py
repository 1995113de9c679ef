"""Real processes under fire: chats and videos go on while gateways and workers are killed and paused.

Two machines (a gateway and a worker each, with data folders of their own) share one database. An **operation** is a
chat that was answered whole, or a video task that was driven to its end; refusals for want of money, tries that broke
and repeated answers are counted apart. Every request has an `Idempotency-Key` of its own and is sent again with it
until it is answered; some clients leave before the answer is there, and ask again.

`python -m tests.kills --help` runs it by hand; every run prints its seed, which decides what is asked for and what
happens to whom after how much of the work. Mutants of the product that it must find are in `mutants.py`.
"""
