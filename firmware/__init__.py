"""The module in the car."""

from typing import Final

VERSION: Final = "0.1.0"
"""As in the package's metadata."""
