"""One command at a time, for somebody who may lose patience."""

import asyncio

import structlog

from firmware.bench.results import DeskCode, DeskError, Result
from firmware.bench.session import Session

log = structlog.get_logger("sharebox")


class Work:
    """The command of one visitor that is being carried out."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._task: asyncio.Task[Result] | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether a command is being carried out."""
        return self._task is not None

    async def do(self, line: str) -> Result:
        """The answer to one line. Raises DeskError, also when it was interrupted."""
        task = self._task = asyncio.ensure_future(self._carry_out(line))
        try:
            await asyncio.wait({task})
            if task.cancelled():
                raise DeskError(DeskCode.FAILED, "no longer waited for: Ctrl-C. What was begun may still happen.")
            return task.result()
        finally:
            task.cancel()
            self._task = None

    def interrupt(self) -> None:
        """Wait no longer."""
        if self._task is not None:
            self._task.cancel()

    async def _carry_out(self, line: str) -> Result:
        try:
            return await self._session.do(line)
        except DeskError:
            raise
        except Exception:  # broad: whatever is wrong with one command, the console goes on
            log.exception("a command failed", command=line.partition(" ")[0])
            raise DeskError(
                DeskCode.FAILED, "the command broke off: an error inside the module. Look into its log."
            ) from None
