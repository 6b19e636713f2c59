"""Which radio a command uses, and a session with the car of a booking over it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from host_tools.cli.exits import CliError, Exit
from host_tools.cli.options import Car
from host_tools.cli.output import Output
from host_tools.cli.settings import Settings
from host_tools.phone.client import Phone
from host_tools.phone.explain import announce, describe
from host_tools.phone.keyring import read_booking, read_key
from host_tools.phone.links import PhoneLink
from host_tools.phone.nearby import open_nearest
from host_tools.phone.reconnect import Settled, reliably
from protocol.messages import Access, Operation, Push

DEFAULT_HUB = ("127.0.0.1", 6402)


@asynccontextmanager
async def radio(settings: Settings) -> AsyncIterator[None]:
    """Make bleak use the radio that the setting `link` names. Raises CliError."""
    link = settings.text("link")
    if link == "auto":
        yield
        return
    host, port = parse_hub(link)
    # Bumble takes a while to import; a real radio does without.
    from host_tools.radio import bleak_backend
    from host_tools.radio.devices import hub_central
    from host_tools.radio.errors import RadioError

    async with AsyncExitStack() as stack:
        try:
            central = await stack.enter_async_context(hub_central(host, port))
        except RadioError as error:
            what = str(error).rstrip(".")
            raise CliError(Exit.NOT_FOUND, f"{what}. Try `sharebox run`, or --link virtual:HOST:PORT.") from None
        stack.callback(bleak_backend.install(central))
        yield


def parse_hub(link: str) -> tuple[str, int]:
    """Host and port of "virtual" or "virtual:HOST:PORT". Raises CliError USAGE."""
    kind, _, rest = link.partition(":")
    if kind == "virtual" and not rest:
        return DEFAULT_HUB
    host, _, port = rest.rpartition(":")
    if kind != "virtual" or not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise CliError(Exit.USAGE, f"'{link}' is no link. Write auto, virtual or virtual:HOST:PORT.")
    return host, int(port)


class Session:
    """An open phone for one command, and the way to open it again when the link breaks."""

    def __init__(self, car: Car, output: Output) -> None:
        settings = car.settings()
        self._booking = read_booking(settings.path("booking"))
        self._key = read_key(settings.path("key"))
        self._timeout_s = settings.seconds("timeout")
        self._output = output
        self._phones: list[Phone] = []

    async def open(self) -> Phone:
        """Find the car and open a session with it."""
        with self._output.waiting("Looking for the car"):
            phone = await open_nearest(self._new_phone, timeout_s=self._timeout_s)
        self._phones.append(phone)
        return phone

    async def command(self, operation: Operation) -> Settled:
        """Carry out a command, whatever the link does meanwhile (ACC-7)."""
        settled = await reliably(operation, self.open)
        self._tell_if_late(self._phones[-1].access)
        return settled

    async def close(self) -> None:
        """Hang up."""
        for phone in self._phones:
            await phone.close()

    def _new_phone(self, link: PhoneLink) -> Phone:
        return Phone(link, self._booking, self._key, on_push=self._pushed, timeout_s=self._timeout_s)

    def _pushed(self, push: Push) -> None:
        if not isinstance(push.body, Access):
            self._output.say(announce(push.body))

    def _tell_if_late(self, access: Access) -> None:
        if access.granted and access.ends_at_ms and access.now_ms > access.ends_at_ms:
            self._output.say(describe(access)[-1] + ".")


@asynccontextmanager
async def session(car: Car, output: Output) -> AsyncIterator[Session]:
    """A session for one command over the radio that its settings name."""
    prepared = Session(car, output)
    async with radio(car.settings()):
        try:
            yield prepared
        finally:
            await prepared.close()
