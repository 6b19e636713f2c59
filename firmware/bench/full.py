"""An editor for terminals that can move the cursor, made with prompt-toolkit on a line instead of a process's own tty.

Decides which of its keys are ours: Ctrl-C clears the line, Ctrl-D never ends anything, Tab is the desk's. It reads no
environment, sets no timers that go on, and is given one key at a time, so that noise stays as bounded as typing.
"""

import asyncio
import contextlib
import io
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Final, TextIO, cast

from prompt_toolkit import PromptSession
from prompt_toolkit.application import create_app_session
from prompt_toolkit.data_structures import Size
from prompt_toolkit.filters import is_searching
from prompt_toolkit.history import History
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPress, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.output.vt100 import Vt100_Output

from firmware.bench.completion import completed, in_columns
from firmware.bench.editing import BELL, MOST_TYPED, Helper, Screen
from firmware.bench.keystrokes import ASK_SIZE, Keystrokes

KEYS_A_TURN: Final = 8
"""Then it is the turn of others."""
MOST_UNDO: Final = 256
"""Keys after which what could be undone is forgotten."""


class FullEditor:
    """An `Editor`."""

    def __init__(self, screen: Screen, helper: Helper) -> None:
        self._screen = screen
        self._helper = helper
        self._input = _Keyboard(helper.keys)
        self._output = Vt100_Output(
            cast(TextIO, _Stream(screen)),
            lambda: Size(rows=screen.rows, columns=screen.columns),
            term="xterm",
            default_color_depth=ColorDepth.DEPTH_1_BIT,
            enable_cpr=False,
        )
        self._session: PromptSession[str] = PromptSession(
            helper.prompt,
            complete_while_typing=False,
            reserve_space_for_menu=0,
            history=_Remembered(helper),
            key_bindings=self._bindings(),
            include_default_pygments_style=False,
            input=self._input,
            output=self._output,
        )
        self._app = self._session.app
        self._app.terminal_size_polling_interval = None
        self._input.takes = self._takes

    # ------------------------------------------------------------ Editor
    async def read(self, begun: str) -> str | None:
        """As Editor."""
        with create_app_session(input=self._input, output=self._output):
            try:
                return await self._session.prompt_async(default=begun, set_exception_handler=False, handle_sigint=False)
            except EOFError:
                return None

    def leave(self) -> str:
        """As Editor."""
        text = self._app.current_buffer.text if self._app.is_running else ""
        if self._app.is_running and not self._app.is_done:
            self._app.exit(exception=EOFError())
        return text

    def wake(self) -> None:
        """As Editor."""
        self._input.wake()

    def show(self, *lines: str) -> None:
        """As Editor."""
        if not self._app.is_running or self._app.is_done:
            self._screen.lines(*lines)
            return
        self._app.renderer.erase()
        self._screen.lines(*lines)
        self._app.renderer.reset()
        self._app.invalidate()

    def refresh(self) -> None:
        """As Editor."""
        if self._app.is_running:
            self._app.invalidate()

    # ------------------------------------------------------------ keys
    def _takes(self, key: KeyPress | None, count: int) -> bool:
        """Whether the line takes a key at all, or this one. `count`: how many it has had."""
        if key is None:
            return self._app.is_running and not self._app.is_done
        buffer = self._app.current_buffer
        if count % MOST_UNDO == 0:
            buffer.reset(buffer.document)
        if len(buffer.text) > MOST_TYPED:
            buffer.text = buffer.text[:MOST_TYPED]
        types = key.key is Keys.BracketedPaste or not isinstance(key.key, Keys)
        if types and len(buffer.text) + len(key.data) > MOST_TYPED:
            self._screen.write(BELL)
            return False
        return True

    def _bindings(self) -> KeyBindings:
        bindings = KeyBindings()

        @bindings.add("c-c", filter=~is_searching)
        def _clear(event: KeyPressEvent) -> None:
            event.app.current_buffer.reset()

        @bindings.add("c-d")
        def _delete(event: KeyPressEvent) -> None:
            if not event.app.current_buffer.delete():
                self._screen.write(BELL)

        @bindings.add("c-l")
        def _anew(event: KeyPressEvent) -> None:
            """The terminal may have another size by now."""
            event.app.renderer.clear()
            self._screen.write(ASK_SIZE.decode())

        @bindings.add("c-i")
        def _complete(event: KeyPressEvent) -> None:
            text = event.app.current_buffer.document.text_before_cursor
            found = completed(text, self._helper.complete(text))
            if found.choices:
                self.show(f"{self._helper.prompt()}{text}", *in_columns(found.choices, self._screen.columns))
            elif found.insert:
                event.app.current_buffer.insert_text(found.insert)
            else:
                self._screen.write(BELL)

        return bindings


class _Stream(io.TextIOBase):
    """Where prompt-toolkit writes."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen

    def write(self, text: str) -> int:
        self._screen.write(text)
        return len(text)


class _Remembered(History):
    """The console's history, which is bounded and shared by both editors."""

    def __init__(self, helper: Helper) -> None:
        super().__init__()
        self._helper = helper

    async def load(self) -> AsyncGenerator[str, None]:
        for line in reversed(self._helper.history):
            yield line

    def get_strings(self) -> list[str]:
        return list(self._helper.history)

    def append_string(self, string: str) -> None:
        """The console remembers by itself what is worth it."""

    def load_history_strings(self) -> Iterable[str]:
        return reversed(self._helper.history)

    def store_string(self, string: str) -> None:
        """As `append_string`."""


class _Keyboard(Input):
    """Keys that were typed, a few at a time and no more than one line."""

    def __init__(self, keys: Keystrokes) -> None:
        self.takes: Callable[[KeyPress | None, int], bool] = lambda _key, _count: True
        self._keys = keys
        self._ready: Callable[[], None] | None = None
        self._turn: asyncio.Handle | None = None
        self._count = 0

    def wake(self) -> None:
        """There are keys."""
        if self._ready is not None and self._turn is None and len(self._keys):
            self._turn = asyncio.get_running_loop().call_soon(self._offer)

    def _offer(self) -> None:
        self._turn = None
        for _ in range(KEYS_A_TURN):
            if self._ready is None or not len(self._keys) or not self.takes(None, 0):
                return
            self._ready()
        self.wake()

    def read_keys(self) -> list[KeyPress]:
        key = self._keys.take()
        if key is None:
            return []
        self._count += 1
        return [key] if self.takes(key, self._count) else []

    @contextlib.contextmanager
    def attach(self, input_ready_callback: Callable[[], None]) -> Iterator[None]:
        before, self._ready = self._ready, input_ready_callback
        self.wake()
        try:
            yield
        finally:
            self._ready = before
            if self._turn is not None:
                self._turn.cancel()
                self._turn = None

    @contextlib.contextmanager
    def detach(self) -> Iterator[None]:
        before, self._ready = self._ready, None
        try:
            yield
        finally:
            self._ready = before

    @property
    def closed(self) -> bool:
        return False

    def fileno(self) -> int:
        raise io.UnsupportedOperation("keys come over a line")

    def typeahead_hash(self) -> str:
        return f"line-{id(self)}"

    def raw_mode(self) -> AbstractContextManager[None]:
        return contextlib.nullcontext()

    def cooked_mode(self) -> AbstractContextManager[None]:
        return contextlib.nullcontext()
