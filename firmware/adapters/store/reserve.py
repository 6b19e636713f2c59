"""Room on the disk that is given up when nothing else is left, so that the state can still be written (PWR-2).

SQLite writes its log over and over in place, but now and then it needs some pages more. Telemetry that has filled
the disk has no right to them; access control has.
"""

from typing import Final

from firmware.adapters.store.files import Files

RESERVE_BYTES: Final = 512 * 1024


class Reserve:
    """The file `name` of `size` bytes. Nothing here raises: a reserve that can not be had is done without."""

    def __init__(self, files: Files, name: str, size: int = RESERVE_BYTES) -> None:
        self._files = files
        self._name = name
        self._size = size
        self._held = False

    def take(self) -> None:
        """Hold the room, if it is not held already."""
        if self._held or not self._size:
            return
        try:
            found = self._files.read(self._name)
            if found is None or len(found) != self._size:
                # Not zeros alone: some file systems and cards store those as nothing.
                self._files.write(self._name, 0, (bytes(range(1, 256)) * (self._size // 255 + 1))[: self._size])
            self._held = True
        except OSError:
            self.release()

    def release(self) -> None:
        """Give the room up."""
        self._held = False
        try:
            self._files.remove(self._name)
        except OSError:
            return
