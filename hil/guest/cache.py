"""Where what was built is kept, and under which name.

Decides: the directory, the name made of everything that the result follows from, and that a half-made result is never
found. Refuses to know: what is kept.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from hil.guest.problems import GuestUnavailable

_KEY_HEX: Final = 16


def folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Where this user's cache is: SHAREBOX_CACHE, or `sharebox` in the cache directory of the system's convention."""
    own = environment.get("SHAREBOX_CACHE")
    if own:
        return Path(own)
    shared = environment.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "sharebox"


def key(*parts: str | bytes) -> str:
    """A name for what follows from `parts`, in this order."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()[:_KEY_HEX]


def kept(place: Path, make: Callable[[Path], None]) -> Path:
    """`place`, a directory; `make` fills it when it is not there. Whole or not at all, also when two do it at once."""
    if place.is_dir():
        return place
    with _made_beside(place) as half:
        make(half)
        try:
            half.rename(place)
        except OSError:
            if not place.is_dir():  # else another one was quicker
                raise
    return place


@contextmanager
def _made_beside(place: Path) -> Iterator[Path]:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        half = Path(tempfile.mkdtemp(prefix=".half-", dir=place.parent))
    except OSError as error:
        raise GuestUnavailable(
            f"nothing can be kept in {place.parent}: {error.strerror}; name another directory: SHAREBOX_CACHE=..."
        ) from None
    try:
        half.chmod(0o755)
        yield half
    finally:
        shutil.rmtree(half, ignore_errors=True)
