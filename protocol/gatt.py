"""The GATT table (SPEC section 3): identifiers only, no Bluetooth library."""

from typing import Final

SERVICE_UUID: Final = "70800000-d425-4edf-b29a-d496fbc27847"
TO_MODULE_UUID: Final = "70800001-d425-4edf-b29a-d496fbc27847"
"""Write and write without response: fragments towards the module."""
FROM_MODULE_UUID: Final = "70800002-d425-4edf-b29a-d496fbc27847"
"""Notify: fragments from the module."""
PUBLIC_INFO_UUID: Final = "70800003-d425-4edf-b29a-d496fbc27847"
"""Read: a CBOR map that anyone may know (`messages.PublicInfo`)."""

LOCAL_NAME: Final = "Sharebox"
"""In the advertisement, the same for every module: a name must not tell cars apart (PRV-7)."""

MIN_ATT_MTU: Final = 23
MAX_ATT_MTU: Final = 517
ATT_HEADER_BYTES: Final = 3
MAX_LINKS: Final = 3
"""Centrals served at once."""
