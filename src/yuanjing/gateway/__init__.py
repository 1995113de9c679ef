"""The hot path: chat, straight on the server's protocol, with callbacks and a small state machine.

In the normal case there is no task, no future and no `await` per request and none per chunk; what has to wait leaves
into one coroutine and comes back. It meets the house at three places only: the directory source and the lease keeper
(use cases) and the spool (a port).
"""
