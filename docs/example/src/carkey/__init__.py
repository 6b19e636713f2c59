"""An app team's own key for a shared car."""

from carkey.key import CarKey, Denied, NoCar

__all__ = ["CarKey", "Denied", "NoCar"]
