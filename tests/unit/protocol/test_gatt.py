"""The GATT table is frozen: phones in the field know it by heart."""

import uuid

import pytest

from protocol import gatt


@pytest.mark.req("BLE-1")
def test_the_identifiers_are_those_of_the_specification() -> None:
    assert gatt.SERVICE_UUID == "70800000-d425-4edf-b29a-d496fbc27847"
    assert gatt.TO_MODULE_UUID == "70800001-d425-4edf-b29a-d496fbc27847"
    assert gatt.FROM_MODULE_UUID == "70800002-d425-4edf-b29a-d496fbc27847"
    assert gatt.PUBLIC_INFO_UUID == "70800003-d425-4edf-b29a-d496fbc27847"
    for text in (gatt.SERVICE_UUID, gatt.TO_MODULE_UUID, gatt.FROM_MODULE_UUID, gatt.PUBLIC_INFO_UUID):
        assert str(uuid.UUID(text)) == text


def test_a_service_uuid_and_flags_fit_one_advertisement() -> None:
    flags, uuid_128 = 3, 2 + 16
    assert flags + uuid_128 <= 31
    assert 2 + len(gatt.LOCAL_NAME) <= 31


def test_the_limits() -> None:
    assert (gatt.MIN_ATT_MTU, gatt.MAX_ATT_MTU, gatt.ATT_HEADER_BYTES, gatt.MAX_LINKS) == (23, 517, 3, 3)
