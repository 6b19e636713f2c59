"""What a desktop has to answer when devices are paired: an agent of BlueZ. bleak brings none.

Decides: what is answered. Refuses to know: who is paired with whom, and why.
"""

from typing import Final

from dbus_fast.annotations import DBusObjectPath, DBusStr, DBusUInt16, DBusUInt32
from dbus_fast.service import ServiceInterface, dbus_method

PATH: Final = "/sharebox/agent"


class Agent(ServiceInterface):
    """`org.bluez.Agent1`. Agrees to everything; `passkey` is typed in when a device shows one. `asked`: what BlueZ
    wanted to know, in order."""

    def __init__(self, passkey: int | None = None) -> None:
        super().__init__("org.bluez.Agent1")
        self.passkey = passkey
        self.asked: list[str] = []

    @property
    def capability(self) -> str:
        """What BlueZ is told of the desktop's keyboard and screen."""
        return "NoInputNoOutput" if self.passkey is None else "KeyboardDisplay"

    @dbus_method(name="Release")
    def release(self) -> None:
        """It is no longer the agent."""
        self.asked.append("Release")

    @dbus_method(name="RequestPasskey")
    def request_passkey(self, _device: DBusObjectPath) -> DBusUInt32:
        """The number that the device shows."""
        self.asked.append("RequestPasskey")
        return self.passkey or 0

    @dbus_method(name="DisplayPasskey")
    def display_passkey(self, _device: DBusObjectPath, _passkey: DBusUInt32, _entered: DBusUInt16) -> None:
        """The number that is to be typed in at the device."""
        self.asked.append("DisplayPasskey")

    @dbus_method(name="RequestConfirmation")
    def request_confirmation(self, _device: DBusObjectPath, _passkey: DBusUInt32) -> None:
        """Whether both show the same number."""
        self.asked.append("RequestConfirmation")

    @dbus_method(name="RequestAuthorization")
    def request_authorization(self, _device: DBusObjectPath) -> None:
        """Whether the device may be paired."""
        self.asked.append("RequestAuthorization")

    @dbus_method(name="AuthorizeService")
    def authorize_service(self, _device: DBusObjectPath, _uuid: DBusStr) -> None:
        """Whether the device may use a service of this machine."""
        self.asked.append("AuthorizeService")

    @dbus_method(name="Cancel")
    def cancel(self) -> None:
        """BlueZ does not want to know any more."""
        self.asked.append("Cancel")
