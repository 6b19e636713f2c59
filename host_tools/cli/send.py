"""`shareboxctl issuer send`: a signed order to its module over MQTT, and what the module says of it."""

import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from host_tools.backend.sender import SendError
from host_tools.backend.sender import send as send_order
from host_tools.cli.exits import CliError, Exit
from host_tools.cli.options import AT_BROKER, AtBroker
from host_tools.cli.output import json_line, print_talk
from host_tools.cli.parsing import parse_duration
from host_tools.cli.register import note
from host_tools.cli.watch import parse_broker, tls_of
from host_tools.phone.errors import Refused
from host_tools.phone.keyring import KeyringError, read_file
from protocol import cose, orders, tokens
from protocol.errors import CATALOGUE, Code, ProtocolError, one_line, refuse
from protocol.explain import number_in_words, sentence
from protocol.orders import Order, OrderKind
from protocol.telemetry import EventKind, EventReport, OrderResult


async def send(
    order: Annotated[Path, Parameter(help="The file that `issuer` wrote: an order or a revocation list.")],
    /,
    *,
    wait: Annotated[
        str | None, Parameter(help="How long to wait for the module's answer. Default: 15s; 5m for a takeover.")
    ] = None,
    dry_run: Annotated[bool, Parameter(help="Say what would be sent to whom, and send nothing.", negative="")] = False,
    at: AtBroker = AT_BROKER,
) -> None:
    """Send an order to its module over MQTT, and wait for the answer. Exit code 3 when the module refused it.

    A takeover is answered when it is over; how far it is, is told meanwhile. Who owns a car then is written down in the
    register of cars.
    """
    settings = at.settings()
    host, port = parse_broker(settings.value("broker"))
    signed = read_file(order)
    try:
        module_id = tokens.addressee(signed)
    except ProtocolError as error:
        raise KeyringError(f"{order} is neither an order nor a revocation list: {error.detail}.") from None
    timeout_s = float(parse_duration(wait or _patience(signed)))
    if dry_run:
        fields: dict[str, object] = {"module": module_id.hex(), "broker": f"{host}:{port}", "bytes": len(signed)}
        line = f"{order}: {len(signed)} bytes for module {module_id.hex()}, by {host}:{port}. Nothing was sent."
        at.output().result("dry-run", fields, line)
        return
    try:
        with at.output().waiting("Waiting for the module's answer"):
            result = await send_order(
                host,
                port,
                module_id,
                signed,
                entropy=os.urandom,
                timeout_s=timeout_s,
                tls=tls_of(settings),
                on_event=lambda event: _progress(event, at),
            )
    except SendError as error:
        raise CliError(Exit.NOT_FOUND, f"{error}.") from None
    _show(result, at)
    told = _order(signed)
    if told is not None and not result.pending:
        note(settings, told.details, told.module_id)


def _patience(signed: bytes) -> str:
    order = _order(signed)
    return "5m" if order is not None and order.kind is OrderKind.TAKE_OVER else "15s"


def _order(signed: bytes) -> Order | None:
    """What is ordered; None: it is a list."""
    parsed = cose.parse_sign1(signed, tokens.MAX_LIST_BYTES)
    return orders.read(parsed.payload, parsed.key_id) if parsed.typ == tokens.Typ.ORDER else None


def _progress(event: EventReport, at: AtBroker) -> None:
    if event.kind is not EventKind.TAKEOVER_PROGRESS:
        return
    share = event.numbers.get("progress_pct", 0)
    if at.json_lines:
        print_talk(json_line("progress", {"task": "Taking the car over", "progress_pct": share}))
    else:
        at.output().say(f"{share} % done. Leave the car parked, and both vehicle keys in it.")


def _show(result: OrderResult, at: AtBroker) -> None:
    if result.code == Code.OK:
        fields: dict[str, object] = {"order": result.order, "name": result.name, "pending": result.pending}
        numbers = ", ".join(number_in_words(name, value) for name, value in result.numbers.items())
        done = f"Done: {numbers}." if numbers else "Done."
        text = "Taken: it takes effect once the car is parked." if result.pending else done
        at.output().result("answer", fields | {"numbers": result.numbers}, text)
        return
    if result.code not in list(CATALOGUE):
        why = f"{one_line(result.name)} (code {result.code}). Update this program"
        raise CliError(Exit.REFUSED, f"order refused: {why}.")
    refusal = refuse(Code(result.code), numbers=tuple(result.numbers.items()))
    raise Refused(refusal, "order refused", sentence(refusal))
