"""The report of a self-test: each claim, its bounds, and who signed it."""

from collections.abc import Callable

import msgspec
import pytest

from protocol import cbor, cose, selftest, tokens
from protocol.errors import Code, ProtocolError
from protocol.selftest import Part, Report, Result
from tests.support.credentials import ISSUER, MODULE_ID, RECEIPT, SIGNER

replace = msgspec.structs.replace

REPORT = Report(
    MODULE_ID,
    1_790_001_000,
    (
        Result(Part.RADIO, passed=True, detail=1),
        Result(Part.BROKER, passed=True, detail=0),
        Result(Part.GNSS, passed=False, detail=None),
        Result(Part.CLOCK, passed=True, detail=500),
        Result(Part.DOORS, passed=True, detail=3),
        Result(Part.IMMOBILISER, passed=True, detail=2),
    ),
)
ROWS: list[cbor.Value] = [[1, True, 1], [2, True, 0], [3, False, None], [4, True, 500], [5, True, 3], [6, True, 2]]


def refusal(call: Callable[[], object]) -> Code:
    with pytest.raises(ProtocolError) as caught:
        call()
    return caught.value.code


def signed(claims: cbor.Value) -> bytes:
    return cose.sign1(cbor.encode(claims), SIGNER, tokens.Typ.SELF_TEST)


@pytest.mark.req("OWN-1")
def test_a_report_comes_back_and_its_claims_are_literal() -> None:
    data = selftest.mint(REPORT, SIGNER)
    assert data == signed({1: MODULE_ID, 2: 1_790_001_000, 3: ROWS})
    assert selftest.verify(data, SIGNER.public_key()) == REPORT


@pytest.mark.req("OWN-1")
def test_a_module_has_passed_when_all_its_parts_have() -> None:
    assert not REPORT.passed
    assert replace(REPORT, results=tuple(replace(each, passed=True) for each in REPORT.results)).passed


@pytest.mark.req("OWN-1")
def test_a_report_is_of_the_module_that_signed_it() -> None:
    assert refusal(lambda: selftest.verify(selftest.mint(REPORT, ISSUER), SIGNER.public_key())) is Code.UNKNOWN_ISSUER
    data = selftest.mint(REPORT, SIGNER)
    forged = data[:-1] + bytes([data[-1] ^ 1])
    assert refusal(lambda: selftest.verify(forged, SIGNER.public_key())) is Code.SIGNATURE_INVALID
    receipt = tokens.mint_receipt(RECEIPT, SIGNER)
    assert refusal(lambda: selftest.verify(receipt, SIGNER.public_key())) is Code.TOKEN_MALFORMED


@pytest.mark.parametrize(
    "claims",
    [
        {1: MODULE_ID, 2: 1_790_001_000},
        {1: MODULE_ID, 2: 1_790_001_000, 3: ROWS, 4: 0},
        {1: MODULE_ID[:7], 2: 1_790_001_000, 3: ROWS},
        {1: MODULE_ID, 2: 2**32, 3: ROWS},
        {1: MODULE_ID, 2: 1, 3: {}},
        {1: MODULE_ID, 2: 1, 3: ROWS[:5]},
        {1: MODULE_ID, 2: 1, 3: [*ROWS, [6, True, 2]]},
        {1: MODULE_ID, 2: 1, 3: [ROWS[1], ROWS[0], *ROWS[2:]]},
        {1: MODULE_ID, 2: 1, 3: [[0, True, 1], *ROWS[1:]]},
        {1: MODULE_ID, 2: 1, 3: [[7, True, 1], *ROWS[1:]]},
        {1: MODULE_ID, 2: 1, 3: [[1, 1, 1], *ROWS[1:]]},
        {1: MODULE_ID, 2: 1, 3: [[1, True, -1], *ROWS[1:]]},
        {1: MODULE_ID, 2: 1, 3: [[1, True, 2**32], *ROWS[1:]]},
        {1: MODULE_ID, 2: 1, 3: [[1, True], *ROWS[1:]]},
    ],
)
def test_a_report_with_other_claims_is_none(claims: cbor.Value) -> None:
    assert refusal(lambda: selftest.verify(signed(claims), SIGNER.public_key())) is Code.TOKEN_MALFORMED
