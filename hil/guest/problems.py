"""What keeps a guest from being had. It knows no cause by itself."""

from typing import Final

UNAVAILABLE: Final = 69
"""Exit code: the guest can not be had on this machine (EX_UNAVAILABLE of sysexits.h)."""


class GuestUnavailable(Exception):
    """One line: what is missing, why, and what to do."""
