"""The one exception of the virtual radio."""

from __future__ import annotations


class RadioError(Exception):
    """The virtual radio can not do what was asked. One line: what, why, what to do."""
