"""The file of the revocation list: each new list goes on from the one that lies there, so that nothing is forgotten."""

from collections.abc import Iterable
from pathlib import Path

from host_tools.backend.issuer import Issuer
from host_tools.backend.withdrawals import Withdrawal, following
from host_tools.cli.exits import CliError, Exit
from host_tools.phone.keyring import KeyringError, read_file, write_replacing
from protocol import tokens
from protocol.errors import ProtocolError
from protocol.tokens import RevocationList


def withdraw(
    path: Path,
    added: Iterable[Withdrawal],
    signer: Issuer,
    *,
    module_id: bytes,
    now_s: int,
    number: int | None = None,
    min_key_epoch: int = 0,
) -> tuple[RevocationList, bytes]:
    """Replace the list in `path` by one that says more; the new list, and its signed form. Raises KeyringError for a
    file that is something else, CliError for a list that cannot be."""
    previous = _last(path, signer, module_id)
    try:
        listed = following(
            previous, added, module_id=module_id, now_s=now_s, number=number, min_key_epoch=min_key_epoch
        )
        signed = signer.signed_list(listed)
    except ValueError as error:
        raise CliError(Exit.USAGE, f"{error}. Withdraw fewer at once, or begin another list with --out.") from None
    write_replacing(path, signed, 0o644)
    return listed, signed


def _last(path: Path, signer: Issuer, module_id: bytes) -> RevocationList | None:
    if not path.exists():
        return None
    try:
        found = tokens.verify_signed(read_file(path), tokens.trust_of(module_id, (signer.public,)))
    except ProtocolError as error:
        raise KeyringError(f"{path} is no list of this issuer and module: {error.detail}. Name another file.") from None
    if not isinstance(found, RevocationList):
        raise KeyringError(f"{path} is no revocation list: it says something else. Name another file.")
    return found
