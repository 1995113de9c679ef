"""Expected failures. Each class has a stable code; one table per dialect turns codes into HTTP."""


class YuanjingError(Exception):
    """A failure that the caller can act on; anything else is a bug.

    Attributes:
        retry_after_seconds: after which trying again can help, where the one who fails knows.
    """

    code = "internal_error"
    retry_after_seconds: float | None = None

    def __init__(self, message: str, *, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.param = param


class InvalidAmountError(YuanjingError):
    """The text is not an amount of CNY with at most nine decimals."""

    code = "invalid_amount"

    def __init__(self, text: str) -> None:
        super().__init__(f"{text[:40]!r} is not an amount; write CNY as a decimal such as 12.50", param="amount")


class InvalidInputError(YuanjingError):
    """A value given by the caller is not acceptable; the message says what to change."""

    code = "invalid_input"


class NotFoundError(YuanjingError):
    """Nothing with that id exists, or the caller may not see it."""

    code = "not_found"


class AlreadyExistsError(YuanjingError):
    """The same id or name exists with other content."""

    code = "already_exists"


class TaskEndedError(YuanjingError):
    """A video task cannot be canceled any more: it has ended."""

    code = "task_ended"


class InsufficientFundsError(YuanjingError):
    """The account does not hold what should be moved out of it."""

    code = "insufficient_balance"

    def __init__(self, account: str, amount_nanos: int) -> None:
        super().__init__("Insufficient balance")
        self.account = account
        self.amount_nanos = amount_nanos


class FencedError(YuanjingError):
    """The node's incarnation was taken over; it may not act on the ledger any more."""

    code = "fenced"

    def __init__(self, node_id: str, incarnation: int) -> None:
        super().__init__(f"node {node_id} incarnation {incarnation} was taken over")


class StoreUnavailableError(YuanjingError):
    """The database cannot be reached or is locked; the caller may try again."""

    code = "store_unavailable"


class SpoolError(YuanjingError):
    """Finished usage cannot be made durable; the process must stop acknowledging answers."""

    code = "spool_unavailable"


class SpoolFullError(SpoolError):
    """The spool is at its limit and has written nothing; it accepts again when what it holds has been posted."""
