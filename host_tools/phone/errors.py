"""What can go wrong between a phone and a module, as the caller sees it. One line: what, why, what to do."""

from protocol.errors import Code, Refusal, one_line

_AGAIN = "Go nearer to the car and connect again."


class PhoneError(Exception):
    """Base of everything that `host_tools.phone` raises. `str()` is one line fit for a user."""

    def __init__(self, what: str, why: str, remedy: str) -> None:
        self.what, self.why, self.remedy = (one_line(each) for each in (what, why, remedy))
        super().__init__(f"{self.what}: {self.why}. {self.remedy}")


class NotFound(PhoneError):
    """No module answered the scan, or this machine has no Bluetooth to scan with."""


class LinkFailed(PhoneError):
    """A connection could not be made, or bytes could not be written to it. Raised by links."""


class LinkClosed(PhoneError):
    """The session is over. With a `command_id`: a command was under way and `may_have_succeeded` all the
    same; connect again and ask for its outcome by that identifier (ACC-7)."""

    def __init__(self, why: str, *, command_id: bytes = b"", may_have_succeeded: bool = False) -> None:
        remedy = "The command may have been carried out: connect again and ask." if may_have_succeeded else _AGAIN
        super().__init__("the connection to the module is gone", why, remedy)
        self.command_id = command_id
        self.may_have_succeeded = may_have_succeeded


class Refused(PhoneError):
    """The module said no; `refusal` carries code, rule, numbers and remedy (ACC-8)."""

    def __init__(self, refusal: Refusal, what: str = "the module refused", why: str = "") -> None:
        super().__init__(what, why or refusal.code.name, refusal.remedy)
        self.refusal = refusal


class HandshakeRefused(Refused):
    """No session came about. `wrong_module`: the module did not prove that it is the one of the phone's file, so
    the token was not sent. Otherwise the module, or the phone's own check of its last message, said no."""

    def __init__(self, refusal: Refusal, why: str = "", *, wrong_module: bool = False) -> None:
        super().__init__(refusal, "no session with the module", why)
        self.wrong_module = wrong_module

    @property
    def code(self) -> Code:
        """The refusal's code."""
        return self.refusal.code
