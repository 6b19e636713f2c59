"""`wire-v1.json`: every form on the wire, byte for byte, as it was when version 1 was written down."""

import json
from typing import Any

import pytest

from protocol.errors import Code
from tests.support import wire_vectors
from tests.support.wire_vectors import FILE, KINDS

FOUND: dict[str, Any] = json.loads(FILE.read_text("utf-8"))
VECTORS: list[dict[str, Any]] = FOUND["vectors"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["kind"])
@pytest.mark.req("SEC-1")
def test_these_bytes_say_what_they_always_said(vector: dict[str, Any]) -> None:
    kind = KINDS[vector["kind"]]
    outcome = wire_vectors.outcome(kind, tuple(bytes.fromhex(vector[part]) for part in kind.parts))
    assert json.loads(json.dumps(outcome)) == {key: vector[key] for key in vector if key in ("says", "refused")}


def test_the_bytes_are_those_that_the_code_makes() -> None:
    """To make them anew, with a change that means it: python -m tests.support.wire_vectors."""
    assert wire_vectors.render() == FILE.read_text("utf-8")


def test_what_is_meant_to_be_accepted_is_and_what_is_meant_to_be_refused_too() -> None:
    for name, kind in KINDS.items():
        assert all("says" in wire_vectors.outcome(kind, parts) for parts in kind.accepted), name
        assert all("refused" in wire_vectors.outcome(kind, parts) for parts in kind.refused), name
    refused = {vector["refused"] for vector in VECTORS if "refused" in vector}
    assert refused == {
        Code.MALFORMED.name,
        Code.UNKNOWN_OPERATION.name,
        Code.TOKEN_MALFORMED.name,
        Code.UNKNOWN_ISSUER.name,
        Code.WRONG_VEHICLE.name,
        Code.SIGNATURE_INVALID.name,
        Code.ORDER_UNSUPPORTED.name,
        Code.SHARE_INVALID.name,
    }
