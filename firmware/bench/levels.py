"""How far somebody at the desk may go. Decides the order of the levels; who has which is the line's affair."""

from enum import IntEnum, unique


@unique
class Level(IntEnum):
    """OBSERVE looks, OPERATE works the car, its surroundings and its power, SERVICE changes what is stored."""

    OBSERVE = 0
    OPERATE = 1
    SERVICE = 2

    @property
    def word(self) -> str:
        """As it is typed."""
        return self.name.lower()
