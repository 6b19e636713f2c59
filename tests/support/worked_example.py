"""Section 12 of the specification, made from the code. `python -m tests.support.worked_example` writes it anew.

Also the tables that repeat what the code says.
"""

import re
from pathlib import Path
from typing import Final

from firmware.adapters.ble.advertising import advertisement, scan_response
from protocol import beacon, cbor, credential, framing, keys, messages, sealing
from protocol.errors import Code, refuse
from protocol.messages import Done, MessageType, Operation, Reply, Request
from protocol.session import EXPORTER_CONTEXT, SecureChannel
from tests.support import credentials, handshakes

SPEC: Final = Path("protocol/SPEC.md")
START, END = "<!-- made by tests/support/worked_example.py -->", "<!-- end of the worked example -->"
COMMAND_ID: Final = bytes.fromhex("c0ffee0123456789")
_COLUMNS = 96


def _hex(data: bytes) -> str:
    text = data.hex()
    return "\n".join(text[at : at + _COLUMNS] for at in range(0, len(text), _COLUMNS)) or "(empty)"


def _block(title: str, data: bytes) -> str:
    return f"{title} ({len(data)} bytes):\n\n```\n{_hex(data)}\n```\n"


def _keys() -> str:
    named = {
        "issuer": credentials.ISSUER,
        "holder": credentials.HOLDER,
        "module, handshake": credentials.HANDSHAKE,
        "phone, ephemeral": credentials.key("ephemeral, phone"),
        "module, ephemeral": credentials.key("ephemeral, module"),
    }
    return _key_table(named)


def _key_table(named: dict[str, keys.PrivateKey]) -> str:
    rows = ["| key | private | public, compressed |", "|---|---|---|"]
    for name, private in named.items():
        public = keys.public_to_bytes(private.public_key())
        rows.append(f"| {name} | `{keys.private_to_bytes(private).hex()}` | `{public.hex()}` |")
    return "\n".join(rows) + "\n"


def _shared_key() -> list[str]:
    token, share = credentials.standing(), credentials.share()
    public = credentials.GUEST.public_key()
    printed = sealing.code_print(credentials.CODE, credentials.HANDSHAKE)
    return [
        "### 12.4 A shared key\n",
        "The owner's standing key allows everything; the share is named Zoë, allows unlock and lock from 22:00 to\n"
        f"06:00 UTC, and waits for the activation code {credentials.CODE}. More keys:\n",
        _key_table(
            {
                "owner's phone": credentials.OWNER,
                "guest's phone": credentials.GUEST,
                "ephemeral, of the sealed code": credentials.key("ephemeral, code"),
            }
        ),
        _block("Standing key", token),
        _block("Share", share),
        _block("The sealed code in it", credentials.SHARED.sealed_code),
        _block("Print of the code in this module", printed),
        _block("ID_CRED_I of the guest's phone", credential.share_credential(token, share, public).id_cred),
    ]


def _beacon() -> list[str]:
    secret, nonce, epoch = bytes(range(16)), bytes.fromhex("c1c2c3c4c5"), credentials.BOOKING.key_epoch
    key = beacon.key_of(secret, epoch)
    made = beacon.make(key, nonce)
    return [
        "### 12.5 A beacon\n",
        f"With the radio secret {secret.hex()}, the key epoch {epoch} and the nonce {nonce.hex()}.\n",
        _block("Beacon key", key),
        _block("Beacon", made),
        _block("Advertisement", advertisement()),
        _block("Scan response", scan_response(made)),
    ]


def _fragments(message: bytes, mtu: int, sequence: int) -> str:
    parts = framing.fragments(message, mtu - 3, sequence)
    return "```\n" + "\n".join(part.hex() for part in parts) + "\n```\n"


def render() -> str:
    """The whole section, between its markers."""
    phone, module, (first, second, third, fourth) = handshakes.finished()
    mine = SecureChannel.from_exporter(phone.export, module_side=False)
    theirs = SecureChannel.from_exporter(module.export, module_side=True)
    request = messages.encode_request(Request(1, Operation.UNLOCK, command_id=COMMAND_ID))
    record = mine.seal(request)
    reply = messages.encode_reply(Reply(1, Code.OK, Done()))
    answer = theirs.seal(reply)
    busy = messages.encode_reply(Reply(2, Code.BUSY, refuse(Code.BUSY)))
    busy_record = theirs.seal(busy)
    edhoc, records = bytes((MessageType.EDHOC,)), bytes((MessageType.RECORD,))
    exported = "\n".join(
        f"{label} {phone.export(label, EXPORTER_CONTEXT, length).hex()}"
        for label, length in ((32768, 32), (32769, 12), (32770, 32), (32771, 12))
    )
    parts = [
        "The keys:\n",
        _keys(),
        _block("Booking token", credentials.token()),
        _block("CRED_R", handshakes.MODULE.cred),
        "### 12.1 Handshake\n",
        _block("message_1", first),
        _block("message_2", second),
        _block("message_3, with the token inside", third),
        _block("message_4", fourth),
        "message_1 as the phone writes it, with its type, at an ATT MTU of 23, numbered from 0:\n",
        _fragments(edhoc + first, 23, 0),
        "message_2 as the module notifies it at an ATT MTU of 247:\n",
        _fragments(edhoc + second, 247, 0),
        "### 12.2 Keys of the records\n",
        f"Label and exported bytes:\n\n```\n{exported}\n```\n",
        "### 12.3 Unlock\n",
        _block(f"Request 1, UNLOCK with the command id {COMMAND_ID.hex()}", request),
        _block("The same as the phone's first record", record),
        "As the phone writes it at an ATT MTU of 247, after message_1 and message_3 in 1 and 2 fragments:\n",
        _fragments(records + record, 247, 3),
        _block("Reply 1: done, it was not so before", reply),
        _block("The same as the module's first record", answer),
        _block(f"A refusal: reply 2, BUSY, {cbor.encode(int(Code.BUSY)).hex()} in CBOR", busy),
        _block("The same as the module's second record", busy_record),
        *_shared_key(),
        *_beacon(),
    ]
    return f"{START}\n\n" + "\n".join(parts) + f"\n{END}"


def replaced(spec: str) -> str:
    """`spec` with the example made anew."""
    pattern = re.compile(re.escape(START) + ".*?" + re.escape(END), re.DOTALL)
    found, count = pattern.subn(lambda _: render(), spec)
    if count != 1:
        raise ValueError("the specification has no place for the example, or several")
    return found


if __name__ == "__main__":
    SPEC.write_text(replaced(SPEC.read_text("utf-8")), "utf-8")
