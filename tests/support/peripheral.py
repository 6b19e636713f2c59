"""A small GATT peripheral on the virtual radio, for tests of the radio and of what runs over it."""

from __future__ import annotations

import asyncio

from bumble import att, data_types
from bumble.core import UUID, AdvertisingData
from bumble.device import Connection
from bumble.gatt import Characteristic, CharacteristicValue, Descriptor, Service

from host_tools.radio.air import VirtualAir
from host_tools.radio.controller import VirtualController
from host_tools.radio.devices import RadioDevice, virtual_device

SERVICE = "7a0b0001-5f3a-4d8e-9d7e-0c5a5e1f0001"
ECHO = "7a0b0002-5f3a-4d8e-9d7e-0c5a5e1f0001"  # what is written comes back on EVENTS
EVENTS = "7a0b0003-5f3a-4d8e-9d7e-0c5a5e1f0001"  # notifies
LONG = "7a0b0004-5f3a-4d8e-9d7e-0c5a5e1f0001"  # reads 500 bytes
REFUSING = "7a0b0005-5f3a-4d8e-9d7e-0c5a5e1f0001"  # answers with ATT errors
SLOW = "7a0b0006-5f3a-4d8e-9d7e-0c5a5e1f0001"  # a write takes SLOW_S
ENCRYPTED = "7a0b0007-5f3a-4d8e-9d7e-0c5a5e1f0001"  # reads over an encrypted link only
COUNTS = "7a0b0008-5f3a-4d8e-9d7e-0c5a5e1f0001"  # indicates
SLOW_S = 5.0
LABEL = "00002901-0000-1000-8000-00805f9b34fb"

LONG_VALUE = bytes(range(250)) * 2

_P = Characteristic.Properties
_A = Characteristic.Permissions


class Thing:
    """The peripheral. `device` is its Bumble device, `radio` its controller."""

    def __init__(self, device: RadioDevice) -> None:
        assert device.radio is not None
        self.device = device
        self.radio: VirtualController = device.radio
        self.written: list[bytes] = []
        self.connections: list[Connection] = []
        self.keeper: asyncio.Task[None]  # who keeps it advertising, if anybody does
        self.events = Characteristic(EVENTS, _P.NOTIFY, _A(0), b"")
        self.counts = Characteristic(COUNTS, _P.INDICATE, _A(0), b"")
        device.on(device.EVENT_CONNECTION, self.connections.append)
        device.add_service(Service(SERVICE, self._characteristics()))

    @property
    def address(self) -> str:
        """As bleak writes it."""
        return self.device.random_address.to_string(False)

    async def advertise(self, interval_ms: float = 100.0, scan_response: bytes = b"") -> None:
        """Legacy, connectable, with name and service."""
        self.device.advertising_data = bytes(
            AdvertisingData(
                [
                    data_types.Flags(AdvertisingData.Flags.LE_GENERAL_DISCOVERABLE_MODE),
                    data_types.IncompleteListOf128BitServiceUUIDs([UUID(SERVICE)]),
                    data_types.ShortenedLocalName("thing"),
                ]
            )
        )
        self.device.scan_response_data = scan_response
        await self.device.start_advertising(advertising_interval_min=interval_ms, advertising_interval_max=interval_ms)

    async def on_echo(self, connection: Connection, value: bytes) -> None:
        """Handler of ECHO."""
        self.written.append(value)
        await self.device.gatt_server.notify_subscriber(connection, self.events, value)

    def _characteristics(self) -> list[Characteristic[bytes]]:
        async def slow(_connection: Connection, _value: bytes) -> None:
            await asyncio.sleep(SLOW_S)

        def refuse_read(_connection: Connection) -> bytes:
            raise att.ATT_Error(att.ErrorCode.INSUFFICIENT_AUTHORIZATION)

        def refuse_write(_connection: Connection, _value: bytes) -> None:
            raise att.ATT_Error(att.ErrorCode.VALUE_NOT_ALLOWED)

        echo_properties = _P.WRITE | _P.WRITE_WITHOUT_RESPONSE
        label = Descriptor(LABEL, _A.READABLE | _A.WRITEABLE, b"a long text")
        return [
            Characteristic(ECHO, echo_properties, _A.WRITEABLE, CharacteristicValue(write=self.on_echo)),
            self.events,
            Characteristic(LONG, _P.READ, _A.READABLE, LONG_VALUE, [label]),
            Characteristic(
                REFUSING,
                _P.READ | _P.WRITE,
                _A.READABLE | _A.WRITEABLE,
                CharacteristicValue(read=refuse_read, write=refuse_write),
            ),
            Characteristic(SLOW, _P.WRITE, _A.WRITEABLE, CharacteristicValue(write=slow)),
            Characteristic(ENCRYPTED, _P.READ, _A.READABLE | _A.READ_REQUIRES_ENCRYPTION, b"secret"),
            self.counts,
        ]


async def thing(air: VirtualAir, name: str = "thing", address: str | None = None) -> Thing:
    """A powered-on peripheral that does not advertise yet."""
    return Thing(await virtual_device(air, name, address))
