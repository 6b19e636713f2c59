"""How the page's address gets into a browser without other users of this computer reading it there.

What a program is started with can be read by everybody, and the address holds a key. So the browser is given a file
that nobody else can read, and that leads to the page.
"""

import html
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_LEADS_ON: Final = """<!doctype html>
<meta charset="utf-8">
<title>Sharebox</title>
<meta http-equiv="refresh" content="0; url={address}">
<p><a href="{address}">Sharebox</a>
"""


@contextmanager
def leading_to(address: str) -> Iterator[str]:
    """The address of a file that leads to `address`; inside, it is there. Raises OSError."""
    # A folder that `tempfile` makes is its owner's alone.
    with tempfile.TemporaryDirectory(prefix="sharebox-") as folder:
        file = Path(folder) / "dashboard.html"
        file.write_text(_LEADS_ON.format(address=html.escape(address)), "utf-8")
        yield file.as_uri()
