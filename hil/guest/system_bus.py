"""bluetoothd over the system's message bus: adapters and devices, as `bluetoothctl` would show and switch them.

Decides: how long a change is waited for. Refuses to know: what goes over the air.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final

from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from hil.guest.agent import PATH, Agent

PATIENCE_S: Final = 30.0
_LOOK_AGAIN_S: Final = 0.05
_ADAPTER: Final = "org.bluez.Adapter1"
_DEVICE: Final = "org.bluez.Device1"
_PROPERTIES: Final = "org.freedesktop.DBus.Properties"


class BusRefused(Exception):
    """bluetoothd said no; the message has its name for it."""


class SystemBus:
    """A connection to bluetoothd; see `system_bus`. `adapter`: such as hci0."""

    def __init__(self, bus: MessageBus) -> None:
        self._bus = bus

    async def count_names(self) -> int:
        """How many connections there are to the message bus, whoever has them."""
        dbus = "org.freedesktop.DBus"
        reply = await self._bus.call(Message(dbus, "/org/freedesktop/DBus", dbus, "ListNames"))
        assert reply is not None
        return len(reply.body[0])

    async def call(self, path: str, interface: str, member: str, signature: str = "", *body: Any) -> list[Any]:
        """One call. Raises BusRefused."""
        reply = await self._bus.call(
            Message("org.bluez", path, interface, member, signature=signature, body=list(body))
        )
        assert reply is not None
        if reply.message_type is MessageType.ERROR:
            raise BusRefused(f"{reply.error_name}: {', '.join(map(str, reply.body))}")
        return list(reply.body)

    async def objects(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Everything that bluetoothd knows: path, interface, property, value."""
        (found,) = await self.call("/", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
        return {
            path: {
                interface: {name: value.value for name, value in properties.items()}
                for interface, properties in interfaces.items()
            }
            for path, interfaces in found.items()
        }

    async def powered(self, adapter: str) -> bool | None:
        """Whether it is switched on; None: bluetoothd has no such adapter."""
        properties = (await self.objects()).get(f"/org/bluez/{adapter}", {}).get(_ADAPTER)
        return None if properties is None else bool(properties["Powered"])

    async def until_powered(self, adapter: str, wanted: bool | None = True) -> None:
        """Return when `powered` is as wanted. Raises TimeoutError."""
        async with asyncio.timeout(PATIENCE_S):
            while await self.powered(adapter) is not wanted:  # noqa: ASYNC110 - one question a time, no signal lost
                await asyncio.sleep(_LOOK_AGAIN_S)

    async def switch(self, adapter: str, on: bool) -> None:
        """Switch it on or off; returns when it is. Raises BusRefused."""
        value = Variant("b", on)
        await self.call(f"/org/bluez/{adapter}", _PROPERTIES, "Set", "ssv", _ADAPTER, "Powered", value)
        await self.until_powered(adapter, on)

    async def devices(self, adapter: str) -> dict[str, dict[str, Any]]:
        """What it knows of each device that it has met, by path."""
        return {
            path: interfaces[_DEVICE]
            for path, interfaces in (await self.objects()).items()
            if _DEVICE in interfaces and path.startswith(f"/org/bluez/{adapter}/")
        }

    async def forget_all(self, adapter: str) -> None:
        """Forget every device, bonds included."""
        for path in await self.devices(adapter):
            with contextlib.suppress(BusRefused):  # it may have gone by itself
                await self.call(f"/org/bluez/{adapter}", _ADAPTER, "RemoveDevice", "o", path)

    @contextlib.asynccontextmanager
    async def agent(self, passkey: int | None = None) -> AsyncIterator[Agent]:
        """The one who is asked when devices are paired, for as long as the context lasts."""
        agent = Agent(passkey)
        self._bus.export(PATH, agent)
        manager = ("/org/bluez", "org.bluez.AgentManager1")
        await self.call(*manager, "RegisterAgent", "os", PATH, agent.capability)
        await self.call(*manager, "RequestDefaultAgent", "o", PATH)
        try:
            yield agent
        finally:
            await self.call(*manager, "UnregisterAgent", "o", PATH)
            self._bus.unexport(PATH, agent)


@contextlib.asynccontextmanager
async def system_bus() -> AsyncIterator[SystemBus]:
    """A connection for as long as the context lasts. Raises OSError where there is no bus."""
    bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
    try:
        yield SystemBus(bus)
    finally:
        bus.disconnect()
        await bus.wait_for_disconnect()  # type: ignore[no-untyped-call]
