"""BLE through bleak's public API alone: finding modules, and a link to one of them.

Knows the GATT table, no message and no booking. Any backend of bleak will do, the virtual one included.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

import msgspec
from bleak import BleakClient, BleakScanner
from bleak.args.bluez import BlueZScannerArgs
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from bleak.exc import BleakBluetoothNotAvailableError, BleakCharacteristicNotFoundError, BleakError

from host_tools.phone.errors import LinkFailed, NotFound
from protocol.errors import ProtocolError
from protocol.gatt import (
    ATT_HEADER_BYTES,
    FROM_MODULE_UUID,
    MAX_ATT_MTU,
    MIN_ATT_MTU,
    PUBLIC_INFO_UUID,
    SERVICE_UUID,
    TO_MODULE_UUID,
)
from protocol.messages import PublicInfo, decode_public_info

CONNECT_TIMEOUT_S: Final = 10.0
WRITE_TIMEOUT_S: Final = 5.0
CLOSE_TIMEOUT_S: Final = 3.0
PACE: Final = 8
"""One in so many writes waits for the module's response."""
# What bleak and the systems below it raise; EOFError and OSError come from a message bus that went away.
_RADIO_ERRORS: Final = (BleakError, TimeoutError, OSError, EOFError)


class Found(msgspec.Struct, frozen=True):
    """A module in range. `rssi` in dBm. `device` is bleak's handle, to be given to `BleakLink`. `beacon`: what it says
    to its own phones (SPEC section 3.1); empty while that was not heard."""

    address: str
    rssi: int
    device: BLEDevice
    beacon: bytes = b""


async def find_modules(timeout_s: float = 5.0) -> list[Found]:
    """All modules heard within `timeout_s`, the strongest first. Raises NotFound when there is no radio."""
    found = await listen(timeout_s, lambda _one: False)
    return sorted(found, key=lambda one: (-one.rssi, one.address))


async def find_module(timeout_s: float, exclude: frozenset[str] = frozenset(), *, adapter: str = "") -> Found | None:
    """The first module heard whose address is not in `exclude`, or None. `adapter` as in `listen`. Raises NotFound
    without a radio."""
    heard = await listen(timeout_s, lambda one: one.address not in exclude, adapter=adapter)
    return next((one for one in heard if one.address not in exclude), None)


async def listen(timeout_s: float, enough: Callable[[Found], bool], *, adapter: str = "") -> list[Found]:
    """The modules heard until one of them is `enough`, or for `timeout_s`; each as it was heard last, in the order in
    which they were heard first. The scan is active, as the beacon needs it. `adapter`: which one, where BlueZ has
    several, such as "hci1"; a link to what it has found uses it, too. Raises NotFound without a radio."""
    bluez = BlueZScannerArgs(adapter=adapter) if adapter else BlueZScannerArgs()
    heard: dict[str, Found] = {}

    def fits(device: BLEDevice, advertisement: AdvertisementData) -> bool:
        before = heard.get(device.address)
        beacon = advertisement.service_data.get(SERVICE_UUID) or (b"" if before is None else before.beacon)
        found = heard[device.address] = Found(device.address, advertisement.rssi, device, bytes(beacon))
        return enough(found)

    try:
        await BleakScanner.find_device_by_filter(fits, timeout_s, service_uuids=[SERVICE_UUID], bluez=bluez)
    except _RADIO_ERRORS as error:
        raise _no_radio(error) from error
    return list(heard.values())


def _no_radio(error: BaseException) -> NotFound:
    if isinstance(error, BleakBluetoothNotAvailableError):
        why = str(error.args[0])
    elif isinstance(error, FileNotFoundError):
        why = "no Bluetooth service runs on this machine"
    else:
        why = str(error) or type(error).__name__
    remedy = "Check that Bluetooth is there, switched on and allowed, or use `--link virtual`."
    return NotFound("cannot scan for modules", " ".join(why.split()).rstrip("."), remedy)


class BleakLink:
    """A `PhoneLink` to one module. `on_public_info` hears what the module says about itself on connecting."""

    def __init__(
        self,
        device_or_address: BLEDevice | str,
        *,
        timeout_s: float = CONNECT_TIMEOUT_S,
        on_public_info: Callable[[PublicInfo], None] | None = None,
    ) -> None:
        self._target = device_or_address
        self._timeout_s = timeout_s
        self._on_public_info = on_public_info
        self._written = 0
        self._client: BleakClient | None = None
        self._to_module: BleakGATTCharacteristic | None = None

    @property
    def payload(self) -> int:
        """Bytes that fit one fragment, never more than the protocol's largest."""
        if self._to_module is None:
            return MIN_ATT_MTU - ATT_HEADER_BYTES
        return min(self._to_module.max_write_without_response_size, MAX_ATT_MTU - ATT_HEADER_BYTES)

    async def connect(self, on_fragment: Callable[[bytes], None], on_closed: Callable[[], None]) -> None:
        """Connect, discover, subscribe; see `PhoneLink.connect`."""
        established = False

        def disconnected(client: BleakClient) -> None:
            if established and client is self._client and self._to_module is not None:
                # The client itself is kept for `close`: on BlueZ it still has a connection to the message bus.
                self._to_module = None
                on_closed()

        await self.close()
        client = BleakClient(self._target, disconnected, [SERVICE_UUID], timeout=self._timeout_s)
        try:
            async with asyncio.timeout(self._timeout_s):
                await client.connect()
                self._client, self._to_module = client, _find(client, TO_MODULE_UUID)
                await self._tell_public_info(client)
                await client.start_notify(
                    _find(client, FROM_MODULE_UUID), lambda _characteristic, data: on_fragment(bytes(data))
                )
            _must_be_connected(client)
        except _RADIO_ERRORS as error:
            self._client = self._to_module = None
            await _disconnect(client)
            raise _cannot_connect(error) from error
        except BaseException:
            self._client = self._to_module = None
            await _disconnect(client)
            raise
        established = True

    async def _tell_public_info(self, client: BleakClient) -> None:
        if self._on_public_info is not None:
            data = bytes(await client.read_gatt_char(_find(client, PUBLIC_INFO_UUID)))
            with contextlib.suppress(ProtocolError):  # a newer module may say it differently: not needed to go on
                self._on_public_info(decode_public_info(data))

    async def write(self, fragment: bytes) -> None:
        """Write one fragment. Every eighth waits for its response: a list of 4096 bytes at MTU 23 must be through
        in 5 s, which a round trip a fragment does not allow, and unpaced writes overrun some radios."""
        if self._client is None or self._to_module is None:
            raise LinkFailed("cannot write to the module", "not connected", "Connect again.")
        self._written += 1
        response = self._written % PACE == 0
        try:
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                await self._client.write_gatt_char(self._to_module, fragment, response=response)
        except _RADIO_ERRORS as error:
            why = str(error) or f"no answer within {WRITE_TIMEOUT_S:g} s"
            raise LinkFailed("cannot write to the module", why, "Go nearer to the car and connect again.") from error

    async def close(self) -> None:
        """Hang up, within a few seconds whatever the radio does."""
        client, self._client, self._to_module = self._client, None, None
        if client is not None:
            await _disconnect(client)


def _find(client: BleakClient, uuid: str) -> BleakGATTCharacteristic:
    characteristic = client.services.get_characteristic(uuid)
    if characteristic is None:
        raise BleakCharacteristicNotFoundError(uuid)
    return characteristic


def _must_be_connected(client: BleakClient) -> None:
    if not client.is_connected:
        raise BleakError("the module hung up")


async def _disconnect(client: BleakClient) -> None:
    with contextlib.suppress(*_RADIO_ERRORS):
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await client.disconnect()


def _cannot_connect(error: BaseException) -> LinkFailed:
    if isinstance(error, TimeoutError):
        why = "no answer in time"
    elif isinstance(error, BleakCharacteristicNotFoundError):
        why = "it does not offer the sharing service"
    else:
        why = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return LinkFailed("cannot connect to the module", why, "Go nearer to the car and try again.")
