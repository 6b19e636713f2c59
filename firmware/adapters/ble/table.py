"""The GATT table on Bumble: which attributes there are, and a server that enforces what they say.

Decides: services, characteristics, properties and permissions (SPEC section 3); that permissions hold, that
a handler's failure is answered at once, that a subscription is two bytes and means notifications.
Refuses to know: links, messages, and who listens. A write to the to-module characteristic is handed to
`on_fragment`, synchronously and in the order of the PDUs.
"""

import logging
from collections.abc import Callable
from typing import Final

from bumble import att, gatt_server
from bumble.core import UUID
from bumble.device import Connection, Device
from bumble.gatt import Characteristic, Service

from firmware.adapters.ble import screen
from firmware.adapters.ble.screen import AttError
from protocol import gatt, messages

MANUFACTURER: Final = b"Sharebox"
MODEL: Final = b"Sharebox module"
"""Both the same for every module: nothing in the table tells one car from another (PRV-7)."""

_GENERIC_ACCESS: Final = 0x1800
_GENERIC_ATTRIBUTE: Final = 0x1801
_DEVICE_INFORMATION: Final = 0x180A
_DEVICE_NAME: Final = 0x2A00
_APPEARANCE: Final = 0x2A01
_MODEL_NUMBER: Final = 0x2A24
_MANUFACTURER_NAME: Final = 0x2A29
_UNKNOWN_APPEARANCE: Final = b"\x00\x00"

_CCCD_OFF: Final = b"\x00\x00"
_CCCD_NOTIFY: Final = b"\x01\x00"

log = logging.getLogger(__name__)

OnFragment = Callable[[Connection, bytes], None]
OnSubscription = Callable[[Connection, bool], None]


class _Attribute(Characteristic[bytes]):
    """A characteristic that cannot be read unless it is readable; Bumble reads them all."""

    async def read_value(self, bearer: att.Bearer) -> bytes:
        if not self.permissions & self.READABLE:
            raise att.ATT_Error(AttError.READ_NOT_PERMITTED, att_handle=self.handle)
        return await super().read_value(bearer)


def _readable(uuid: str | int, value: bytes) -> _Attribute:
    return _Attribute(UUID(uuid), Characteristic.Properties.READ, Characteristic.READABLE, value)


class GattTable(gatt_server.Server):
    """Bumble's server with the module's table in it, and the holes closed.

    `on_fragment(connection, fragment)`: a write to the to-module characteristic.
    `on_subscription(connection, on)`: a client switched notifications on or off.
    """

    def __init__(self, device: Device, on_fragment: OnFragment, on_subscription: OnSubscription) -> None:
        super().__init__(device)
        self._on_fragment = on_fragment
        self._on_subscription = on_subscription
        self.max_mtu = gatt.MAX_ATT_MTU
        properties = Characteristic.Properties
        self._to_module = _Attribute(
            UUID(gatt.TO_MODULE_UUID),
            properties.WRITE | properties.WRITE_WITHOUT_RESPONSE,
            Characteristic.WRITEABLE,
            b"",
        )
        self._from_module = _Attribute(
            UUID(gatt.FROM_MODULE_UUID), properties.NOTIFY, Characteristic.Permissions(0), b""
        )
        info = messages.encode_public_info(messages.PublicInfo())
        self.add_services(
            [
                Service(
                    UUID(_GENERIC_ACCESS),
                    [_readable(_DEVICE_NAME, gatt.LOCAL_NAME.encode()), _readable(_APPEARANCE, _UNKNOWN_APPEARANCE)],
                ),
                Service(UUID(_GENERIC_ATTRIBUTE), []),
                Service(
                    UUID(_DEVICE_INFORMATION),
                    [_readable(_MANUFACTURER_NAME, MANUFACTURER), _readable(_MODEL_NUMBER, MODEL)],
                ),
                Service(
                    UUID(gatt.SERVICE_UUID),
                    [self._to_module, self._from_module, _readable(gatt.PUBLIC_INFO_UUID, info)],
                ),
            ]
        )
        self._cccd_handle = self._from_module.end_group_handle
        self._types = frozenset(screen.long_type(attribute.type.uuid_bytes) for attribute in self.attributes)

    def receive(self, connection: Connection, pdu: bytes) -> None:
        """Take one ATT PDU from a client. Total: never raises for what a client sends."""
        match screen.screen_att(pdu, mtu=connection.att_mtu, known_types=self._types):
            case screen.Answer(answer):
                self.send_gatt_pdu(connection, answer)
            case screen.Pass():
                self.on_gatt_pdu(connection, att.ATT_PDU.from_bytes(pdu))
            case screen.Drop():
                pass

    def notify(self, connection: Connection, fragment: bytes) -> None:
        """Queue one notification for `connection`; the caller has checked subscription, room and length."""
        notification = att.ATT_Handle_Value_Notification(
            attribute_handle=self._from_module.handle, attribute_value=fragment
        )
        self.send_gatt_pdu(connection, bytes(notification))

    def on_att_write_request(self, bearer: att.Bearer, request: att.ATT_Write_Request) -> None:
        """Answered within this call; Bumble's own spawns a task and checks no permission."""
        error = self._write(bearer, request.attribute_handle, request.attribute_value)
        if error is None:
            self.send_response(bearer, att.ATT_Write_Response())
        else:
            refused = screen.error_response(request.op_code, request.attribute_handle, error)
            self.send_gatt_pdu(bearer, refused)

    def on_att_write_command(self, bearer: att.Bearer, request: att.ATT_Write_Command) -> None:
        """Never answered, by the specification; a refused one is dropped."""
        if request.attribute_handle == self._to_module.handle:
            self._write(bearer, request.attribute_handle, request.attribute_value)

    def _write(self, bearer: att.Bearer, handle: int, value: bytes) -> AttError | None:
        if not isinstance(bearer, Connection):
            return AttError.UNLIKELY_ERROR
        if handle == self._to_module.handle:
            try:
                self._on_fragment(bearer, value)
            except Exception:  # broad: whatever failed, the client is answered at once
                log.exception("a fragment could not be handed over; the client is told so at once")
                return AttError.UNLIKELY_ERROR
            return None
        if handle == self._cccd_handle:
            return self._subscribe(bearer, value)
        return AttError.INVALID_HANDLE if self.get_attribute(handle) is None else AttError.WRITE_NOT_PERMITTED

    def _subscribe(self, connection: Connection, value: bytes) -> AttError | None:
        if len(value) != len(_CCCD_OFF):
            return AttError.INVALID_ATTRIBUTE_LENGTH
        if value == b"\x02\x00":
            return AttError.CCCD_IMPROPERLY_CONFIGURED
        if value not in (_CCCD_OFF, _CCCD_NOTIFY):
            return AttError.VALUE_NOT_ALLOWED
        self.write_cccd(connection, self._from_module, value)
        self._on_subscription(connection, value == _CCCD_NOTIFY)
        return None
