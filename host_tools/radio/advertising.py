"""Advertising and scanning: what is on the air, when, and what a scanner's host is told of it.

Decides: the instants of advertising events, the fields of a report, which reports are repetitions.
Refuses to know: who is in range, and connections.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import msgspec
from bumble import controller as bc
from bumble import hci

if TYPE_CHECKING:
    from host_tools.radio.controller import VirtualController

SHORTEST_INTERVAL_S = 0.020
"""Vol 6, Part B, 4.4.2.2: the advertising interval is at least 20 ms."""

REPORT_BYTES = 229
"""Most advertising data that fits into one extended advertising report."""

MAX_REMEMBERED = 1024
"""Reports remembered for the duplicate filter, oldest forgotten first."""

_Extended = hci.HCI_LE_Extended_Advertising_Report_Event
_Legacy = hci.HCI_LE_Advertising_Report_Event
_LEGACY_CONNECTABLE = (0, 1, 4)  # ADV_IND and both ADV_DIRECT_IND
_LEGACY_SCANNABLE = (0, 2)  # ADV_IND, ADV_SCAN_IND
_LEGACY_DIRECTED = (1, 4)
_LEGACY_DATA_BYTES = 31


class Advertisement(msgspec.Struct, frozen=True):
    """One advertising event as it is on the air."""

    address: hci.Address
    data: bytes
    scan_response: bytes
    connectable: bool
    scannable: bool
    legacy: bool
    sid: int = 0xFF
    target: hci.Address | None = None


class Beacon:
    """Fires at regular instants, but only while somebody listens; in between it knows its phase."""

    def __init__(self, fire: Callable[[], None], heard: Callable[[], bool]) -> None:
        self._fire = fire
        self._heard = heard
        self._interval_s = 1.0
        self._next = 0.0
        self._running = False
        self._timer: asyncio.TimerHandle | None = None

    def start(self, interval_s: float) -> None:
        """First event now, then one every `interval_s` seconds."""
        self.stop()
        self._running = True
        self._interval_s = max(interval_s, SHORTEST_INTERVAL_S)
        self._next = asyncio.get_running_loop().time()
        self.wake()

    def stop(self) -> None:
        """No further event."""
        self._running = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def wake(self) -> None:
        """Somebody has begun to listen."""
        if not self._running or self._timer is not None or not self._heard():
            return
        loop = asyncio.get_running_loop()
        missed = loop.time() - self._next
        if missed > 0:
            self._next += math.ceil(missed / self._interval_s) * self._interval_s
        self._timer = loop.call_at(self._next, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._next += self._interval_s
        self._fire()
        self.wake()


class LegacyAdvertiser(bc.LegacyAdvertiser):
    """Bumble's, with real advertising types, the right unit of the interval, and silence while nobody listens."""

    def __init__(self, controller: VirtualController) -> None:
        super().__init__(controller)
        self.beacon = Beacon(self.send_advertising_data, controller.air.has_listeners)

    def start(self) -> None:
        self.enabled = True
        self.beacon.start(self.advertising_interval_min * 0.000625)

    def stop(self) -> None:
        self.enabled = False
        self.beacon.stop()

    def on_air(self) -> Advertisement:
        """What this advertiser sends now."""
        directed = self.advertising_type in _LEGACY_DIRECTED
        return Advertisement(
            address=self.address,
            data=b"" if directed else bytes(self.advertising_data),
            scan_response=bytes(self.scan_response_data),
            connectable=self.advertising_type in _LEGACY_CONNECTABLE,
            scannable=self.advertising_type in _LEGACY_SCANNABLE,
            legacy=True,
            target=self.peer_address if directed else None,
        )

    def send_advertising_data(self) -> None:
        _advertise(self)


class AdvertisingSet(bc.AdvertisingSet):
    """Bumble's, with properties that are obeyed, one timer, a duration, and silence while nobody listens."""

    def __init__(self, controller: VirtualController, handle: int) -> None:
        super().__init__(controller=controller, handle=handle)
        self.beacon = Beacon(self.send_extended_advertising_data, controller.air.has_listeners)
        self.duration_s = 0.0
        self._expiry: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self.stop()
        if self.parameters is None or self.address is None:
            return
        self.enabled = True
        self.beacon.start(self.parameters.primary_advertising_interval_min * 0.000625)
        if self.duration_s:
            self._expiry = asyncio.get_running_loop().call_later(self.duration_s, self._on_expired)

    def stop(self) -> None:
        self.enabled = False
        self.beacon.stop()
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None

    def on_air(self) -> Advertisement:
        """What this set sends now."""
        assert self.parameters is not None
        assert self.address is not None
        properties = int(self.parameters.advertising_event_properties)
        legacy = bool(properties & 0x10)
        return Advertisement(
            address=self.address,
            data=bytes(self.data),
            scan_response=bytes(self.scan_response_data),
            connectable=bool(properties & 0x01),
            scannable=bool(properties & 0x02),
            legacy=legacy,
            sid=0xFF if legacy else self.parameters.advertising_sid,
            target=self.parameters.peer_address if properties & 0x04 else None,
        )

    def send_extended_advertising_data(self) -> None:
        _advertise(self)

    def _on_expired(self) -> None:
        self.stop()
        self.controller.send_hci_packet(
            hci.HCI_LE_Advertising_Set_Terminated_Event(
                status=hci.HCI_ErrorCode.ADVERTISING_TIMEOUT_ERROR,
                advertising_handle=self.handle,
                connection_handle=0,
                num_completed_extended_advertising_events=0,
            )
        )


def _advertise(advertiser: LegacyAdvertiser | AdvertisingSet) -> None:
    controller: VirtualController = advertiser.controller  # type: ignore[assignment]  # the parent's is wider
    if advertiser.enabled:
        controller.air.advertise(controller, advertiser.on_air())


class Scanner:
    """What the host of a scanning controller is told. One for each controller."""

    def __init__(self) -> None:
        self.active = True
        self.legacy_reports = False
        self.filter_duplicates = False
        self._seen: dict[tuple[bytes, bool, bytes], None] = {}

    def restart(self) -> None:
        """Scanning was switched on: everything is news again."""
        self._seen.clear()

    def reports(self, heard: Advertisement, rssi_dbm: int) -> Iterator[hci.HCI_Packet]:
        """HCI events for one advertising event, in order."""
        responses = (False, True) if heard.scannable and self.active else (False,)
        for response in responses:
            data = heard.scan_response if response else heard.data
            if self._is_repetition(heard, response, data):
                continue
            if not self.legacy_reports:
                yield from _extended_reports(heard, response, data, rssi_dbm)
            elif heard.legacy and len(data) <= _LEGACY_DATA_BYTES:
                yield _legacy_report(heard, response, data, rssi_dbm)

    def _is_repetition(self, heard: Advertisement, response: bool, data: bytes) -> bool:
        if not self.filter_duplicates:
            return False
        key = (bytes(heard.address), response, data)
        if key in self._seen:
            return True
        if len(self._seen) >= MAX_REMEMBERED:
            del self._seen[next(iter(self._seen))]
        self._seen[key] = None
        return False


def _legacy_report(heard: Advertisement, response: bool, data: bytes, rssi_dbm: int) -> hci.HCI_Packet:
    kinds = _Legacy.EventType
    if response:
        kind = kinds.SCAN_RSP
    elif heard.target is not None:
        kind = kinds.ADV_DIRECT_IND
    elif heard.connectable:
        kind = kinds.ADV_IND
    else:
        kind = kinds.ADV_SCAN_IND if heard.scannable else kinds.ADV_NONCONN_IND
    return _Legacy(
        [_Legacy.Report(int(kind), heard.address.address_type, heard.address, data, rssi_dbm)],
    )


def _extended_reports(heard: Advertisement, response: bool, data: bytes, rssi_dbm: int) -> Iterator[hci.HCI_Packet]:
    flags = _Extended.EventType
    kind = flags.LEGACY_ADVERTISING_PDU_USED if heard.legacy else flags(0)
    kind |= flags.CONNECTABLE_ADVERTISING if heard.connectable else flags(0)
    kind |= flags.SCANNABLE_ADVERTISING if heard.scannable else flags(0)
    kind |= flags.DIRECTED_ADVERTISING if heard.target is not None else flags(0)
    kind |= flags.SCAN_RESPONSE if response else flags(0)
    target = heard.target or hci.Address.ANY
    parts = [data[at : at + REPORT_BYTES] for at in range(0, len(data), REPORT_BYTES)] or [b""]
    for index, part in enumerate(parts):
        more = _Extended.DATA_INCOMPLETE_MORE_TO_COME if index < len(parts) - 1 else _Extended.DATA_COMPLETE
        yield _Extended(
            [
                _Extended.Report(
                    event_type=int(kind) | more << 5,
                    address_type=heard.address.address_type,
                    address=heard.address,
                    primary_phy=hci.Phy.LE_1M,
                    secondary_phy=0 if heard.legacy else hci.Phy.LE_1M,
                    advertising_sid=heard.sid,
                    tx_power=_Extended.TX_POWER_INFORMATION_NOT_AVAILABLE,
                    rssi=rssi_dbm,
                    periodic_advertising_interval=0,
                    direct_address_type=target.address_type,
                    direct_address=target,
                    data=part,
                )
            ]
        )
