"""uvicorn's flow control with one more reason to read nothing."""

import asyncio

from uvicorn.protocols.http.flow_control import FlowControl


class ReadingFlow(FlowControl):
    """Reading pauses for the base class, while an ASGI request's body is not taken, and while we hold it.

    The base class and its cycles resume for their own reason only: a request that asks for its body must not let in
    what there is no room for.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__(transport)
        self.is_held = False

    @property
    def is_reading(self) -> bool:
        """Whether bytes of the client may come."""
        return not self.is_held and not self.read_paused

    def pause_reading(self) -> None:
        """An ASGI request's body is not taken."""
        if not self.read_paused:
            self.read_paused = True
            if not self.is_held:
                self._transport.pause_reading()

    def resume_reading(self) -> None:
        """It is taken."""
        if self.read_paused:
            self.read_paused = False
            if not self.is_held:
                self._transport.resume_reading()

    def hold(self) -> None:
        """Read nothing until `let_go`."""
        if not self.is_held:
            self.is_held = True
            if not self.read_paused:
                self._transport.pause_reading()

    def let_go(self) -> None:
        """What was read is parsed."""
        if self.is_held:
            self.is_held = False
            if not self.read_paused:
                self._transport.resume_reading()
