"""The deterministic simulation: a whole platform in one thread, with every fault that a seed can think of.

**What runs.** The real code: gateways with their purses, exchanges, spoolers and connection pools; workers with
their loops for posting, take-over, expiry, top-ups, refunds and video tasks; the use cases behind the API. Several of
each, on one or two machines, over the store in memory. What is simulated is what lies around them:

- `loop`: time, and who runs next. Virtual seconds; a queue for each process, and a seeded draw between them.
- `chance`: clocks, ids, random numbers. The boot clock never jumps, a machine's wall clock may, by an hour.
- `storage`: the way to the database, with delays, outages, units of work that are lost before the commit and others
  whose answer is lost after it; and the spool's disk, whose writes fail with or without having been kept.
- `provider`: the chat provider. It refuses, is silent, breaks off, does not count, counts too much; over real HTTP.
- `studio`: the video provider in memory, behind a network that loses submissions and their answers.
- `processes`, `troubles`: the operating system. Kills, pauses, restarts; a machine that is lost and comes back.
- `people`: customers. They ask, leave, order videos, cancel, pay (told several times, or never), want money back.

**How one seed goes.** `plan` draws which faults there are, and how many. Then (`simulation`) everything is started,
customers act for some seconds while faults come, all is healed, what is under way comes to rest, processes are stopped
in order, and `audit` looks at the result. It believes nobody: an answer is whole if its last byte was seen, a price is
recomputed with fractions from what the provider counted, balances by replaying every transfer. `verify` and the
program's own log of faults must be empty besides.

**When it fails.** The message names the seed. This runs it again, exactly, and prints what happened:

    .venv/bin/python -m tests.simulation 4711 --trace

Change the code or the simulation, and the same seed is another story; until then it is always the same one.

**That it can fail** is shown by `mutants`: each takes one safeguard away (the fence, the hold, the order of spool and
answer, …), and some seed finds it.

**What it cannot find.** Units of work are never interleaved: what a database's isolation is for is tested by the
contract suite of the stores. Nor does it know what a disk loses when the power fails, or what real signals do to real
processes (`tests/e2e`). Time that code takes does not exist.
"""
