"""A file that grows by lines while the module works: written by a thread, so that a slow card delays nobody.

Decides when a recording is given up: when the disk takes less than comes, or nothing at all. What a line says is
somebody else's affair.
"""

import errno
import os
import threading
import time
from pathlib import Path
from typing import Final

MOST_WAITING_BYTES: Final = 8 * 1024 * 1024
"""What a disk that hangs may leave in memory."""
MOST_FILE_BYTES: Final = 1024 * 1024 * 1024
"""About a week of a bench, or ten days of a parked car."""
LEAST_FREE_BYTES: Final = 64 * 1024 * 1024
"""Left to the module, which refuses what it cannot make durable."""
SYNC_EVERY_S: Final = 1.0
"""A power cut takes at most the lines of so long."""
CLOSED_WITHIN_S: Final = 5.0


class RecordingFailed(Exception):
    """A recording can not be written or read: one line with what, why and what to do."""


class RecordFile:
    """`put` never waits. The file is new, and nobody else's to read. Must be ended. Raises RecordingFailed."""

    def __init__(
        self,
        path: Path,
        *,
        most_waiting_bytes: int = MOST_WAITING_BYTES,
        most_file_bytes: int = MOST_FILE_BYTES,
        least_free_bytes: int = LEAST_FREE_BYTES,
    ) -> None:
        self._least_free_bytes = least_free_bytes
        self._most_waiting_bytes = most_waiting_bytes
        self._left_bytes = most_file_bytes
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._ends = False
        self._changed = threading.Condition()
        self.failed = ""
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            raise RecordingFailed(f"{path}: it is there already; give another name, or a directory") from None
        except OSError as error:
            raise RecordingFailed(f"{path}: {error.strerror}; give another name") from None
        self._thread = threading.Thread(target=self._write, name="recording", daemon=True)
        self._thread.start()

    def put(self, line: bytes) -> bool:
        """Write it soon. False: the recording has ended, and `failed` says why."""
        with self._changed:
            if self._waiting_bytes + len(line) > self._most_waiting_bytes:
                self.failed = self.failed or "the disk does not take it as fast as it comes"
            self._left_bytes -= len(line)
            if self._left_bytes < 0:
                self.failed = self.failed or "it has become too large"
            if self.failed or self._ends:
                return False
            self._waiting.append(line)
            self._waiting_bytes += len(line)
            self._changed.notify()
            return True

    def end(self) -> None:
        """Nothing more comes; what waits is still written. Waits for nobody, twice is no error."""
        with self._changed:
            self._ends = True
            self._changed.notify()

    def close(self) -> None:
        """The same, and wait for the disk, but not for ever."""
        self.end()
        self._thread.join(CLOSED_WITHIN_S)

    def _write(self) -> None:
        sync_at_s = time.monotonic() + SYNC_EVERY_S
        unsynced = False
        try:
            while True:
                with self._changed:
                    while not self._waiting and not self._ends:
                        left_s = sync_at_s - time.monotonic() if unsynced else None
                        if left_s is not None and left_s <= 0:
                            break
                        self._changed.wait(left_s)
                    lines, self._waiting, self._waiting_bytes = self._waiting, [], 0
                    ends = self._ends
                _write_all(self._file, b"".join(lines))
                unsynced = unsynced or bool(lines)
                if unsynced and (ends or time.monotonic() >= sync_at_s):
                    self._sync()
                    sync_at_s, unsynced = time.monotonic() + SYNC_EVERY_S, False
                if ends and not lines:
                    return
        except OSError as error:
            with self._changed:
                self.failed, self._waiting = error.strerror or str(error), []
        finally:
            os.close(self._file)

    def _sync(self) -> None:
        os.fdatasync(self._file)
        disk = os.fstatvfs(self._file)
        if disk.f_bavail * disk.f_frsize < self._least_free_bytes:
            raise OSError(errno.ENOSPC, "there is hardly any room left on the disk")


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
