"""Which error leads to which exit code, and how it is shown: one line, and fields for programs."""

import msgspec

from host_tools.bench.answer import ConsoleRefused
from host_tools.cli.exits import CliError, Exit
from host_tools.phone.errors import HandshakeRefused, LinkClosed, PhoneError, Refused
from host_tools.phone.keyring import KeyringError
from protocol.errors import Refusal, one_line


class Trouble(msgspec.Struct, frozen=True):
    """An error as it is shown: exit code, one line, and the refusal's parts when a module said no."""

    exit_code: Exit
    line: str
    fields: dict[str, object] = {}


def trouble_of(error: Exception) -> Trouble | None:
    """How `error` is shown, or None when it is not an expected one: then it is a bug."""
    match error:
        case CliError():
            return Trouble(error.exit_code, str(error))
        case KeyringError():
            return Trouble(Exit.CONFIGURATION, str(error))
        case HandshakeRefused():
            return Trouble(Exit.AUTHENTICATION, _refused(error), refusal_fields(error.refusal))
        case Refused():
            return Trouble(Exit.REFUSED, _refused(error), refusal_fields(error.refusal))
        case ConsoleRefused():
            return Trouble(Exit.REFUSED, str(error), {"code": error.code})
        case LinkClosed():
            fields: dict[str, object] = {"may_have_succeeded": error.may_have_succeeded}
            if error.command_id:
                fields["command"] = error.command_id.hex()
            return Trouble(Exit.NOT_FOUND, str(error), fields)
        case PhoneError():
            return Trouble(Exit.NOT_FOUND, str(error))
        case _:
            return None


def _refused(error: Refused) -> str:
    refusal = error.refusal
    rule = f"rule {one_line(refusal.rule)}, " if refusal.rule else ""
    return f"{error.what}: {error.why} ({rule}code {refusal.code.name}). {error.remedy}".rstrip()


def refusal_fields(refusal: Refusal) -> dict[str, object]:
    """A refusal as JSON fields (ACC-8)."""
    return {
        "code": refusal.code.name,
        "rule": refusal.rule,
        "numbers": dict(refusal.numbers),
        "temporary": refusal.temporary,
        "may_have_succeeded": refusal.may_have_succeeded,
        "remedy": refusal.remedy,
    }
