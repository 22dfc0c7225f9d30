"""What became of a message that was posted."""


class Undelivered(Exception):
    """It did not arrive: `reason` is one of a closed list, for logs. `status` is the answer's, where there was one.

    `wait` is how many seconds the receiver wants to be left alone.
    """

    def __init__(self, reason: str, *, status: int | None = None, wait: float = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.wait = wait


class NotAllowed(Undelivered):
    """The receiver is at an address that must not be used."""

    def __init__(self, address: str) -> None:
        super().__init__("addressNotAllowed")
        self.address = address


class Gone(Undelivered):
    """The receiver wants no more messages (410)."""
