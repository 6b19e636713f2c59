"""bleak's scanner over a Bumble central.

Decides: how advertising data become bleak's `BLEDevice` and `AdvertisementData`.
Refuses to know: connections.
"""

from __future__ import annotations

from typing import Any

from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, AdvertisementDataCallback, BaseBleakScanner
from bleak.uuids import normalize_uuid_str
from bumble.core import UUID, AdvertisingData
from bumble.device import Advertisement

from host_tools.radio.bleak_central import Central, current_source, open_central

_Type = AdvertisingData.Type
_UUID_LISTS = {
    _Type.INCOMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS: 2,
    _Type.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS: 2,
    _Type.INCOMPLETE_LIST_OF_32_BIT_SERVICE_CLASS_UUIDS: 4,
    _Type.COMPLETE_LIST_OF_32_BIT_SERVICE_CLASS_UUIDS: 4,
    _Type.INCOMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS: 16,
    _Type.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS: 16,
}
_SERVICE_DATA = {
    _Type.SERVICE_DATA_16_BIT_UUID: 2,
    _Type.SERVICE_DATA_32_BIT_UUID: 4,
    _Type.SERVICE_DATA_128_BIT_UUID: 16,
}


class BleakScannerVirtual(BaseBleakScanner):
    """The backend of `bleak.BleakScanner`. Active and passive scanning, filter by service UUIDs."""

    def __init__(
        self,
        detection_callback: AdvertisementDataCallback | None = None,
        service_uuids: list[str] | None = None,
        scanning_mode: str = "active",
        **_kwargs: Any,
    ) -> None:
        super().__init__(detection_callback, service_uuids)
        self._active = scanning_mode != "passive"
        self._source = current_source()
        self._central: Central | None = None

    async def start(self) -> None:
        """Raises BleakBluetoothNotAvailableError if the central is off, BleakError if scanning is refused."""
        self.seen_devices = {}
        central = await open_central(self._source)
        self._central = central
        central.device.on(central.device.EVENT_ADVERTISEMENT, self._on_advertisement)
        try:
            await central.start_scan(self, active=self._active)
        except BaseException:
            self._central = None
            central.device.remove_listener(central.device.EVENT_ADVERTISEMENT, self._on_advertisement)
            raise

    async def stop(self) -> None:
        """Nothing is reported afterwards. Stopping twice is no error."""
        if (central := self._central) is not None:
            self._central = None
            central.device.remove_listener(central.device.EVENT_ADVERTISEMENT, self._on_advertisement)
            await central.stop_scan(self)

    def _on_advertisement(self, heard: Advertisement) -> None:
        data = advertisement_data(heard)
        if not self.is_allowed_uuid(data.service_uuids):
            return
        address = heard.address.to_string(with_type_qualifier=False)
        known = self.seen_devices.get(address)
        name = data.local_name or (known[0].name if known else None)
        device: BLEDevice = self.create_or_update_device(
            address, address, name, {"address": heard.address, "connectable": heard.is_connectable}, data
        )
        self.call_detection_callbacks(device, data)


def advertisement_data(heard: Advertisement) -> AdvertisementData:
    """What bleak shows of an advertisement. Fields that make no sense are left out."""
    complete = shortened = None
    tx_power: int | None = None
    manufacturer: dict[int, bytes] = {}
    service_data: dict[str, bytes] = {}
    uuids: list[str] = []
    for kind, value in heard.data.ad_structures:
        match kind:
            case _Type.COMPLETE_LOCAL_NAME:
                complete = value.decode("utf-8", "replace")
            case _Type.SHORTENED_LOCAL_NAME:
                shortened = value.decode("utf-8", "replace")
            case _Type.TX_POWER_LEVEL if value:
                tx_power = int.from_bytes(value[:1], "little", signed=True)
            case _Type.MANUFACTURER_SPECIFIC_DATA if len(value) >= 2:
                manufacturer[int.from_bytes(value[:2], "little")] = value[2:]
            case _ if width := _UUID_LISTS.get(kind):
                last = len(value) - width
                uuids += [uuid_text(UUID.from_bytes(value[i : i + width])) for i in range(0, last + 1, width)]
            case _ if (width := _SERVICE_DATA.get(kind)) and len(value) >= width:
                service_data[uuid_text(UUID.from_bytes(value[:width]))] = value[width:]
            case _:
                pass
    return AdvertisementData(complete or shortened, manufacturer, service_data, uuids, tx_power, heard.rssi, (heard,))


def uuid_text(uuid: UUID) -> str:
    """As bleak writes UUIDs: 128 bits, lower case, with hyphens."""
    return normalize_uuid_str(uuid.to_hex_str("-"))
