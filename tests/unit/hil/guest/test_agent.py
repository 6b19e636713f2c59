"""The one who is asked when devices are paired."""

from hil.guest.agent import Agent


def test_without_a_passkey_it_has_neither_keyboard_nor_screen() -> None:
    assert Agent().capability == "NoInputNoOutput"
    assert Agent(123456).capability == "KeyboardDisplay"


def test_it_speaks_bluezs_interface() -> None:
    (interface,) = (each for each in [Agent(1).introspect()] if each.name == "org.bluez.Agent1")
    signatures = {method.name: (method.in_signature, method.out_signature) for method in interface.methods}
    assert signatures == {
        "Release": ("", ""),
        "RequestPasskey": ("o", "u"),
        "DisplayPasskey": ("ouq", ""),
        "RequestConfirmation": ("ou", ""),
        "RequestAuthorization": ("o", ""),
        "AuthorizeService": ("os", ""),
        "Cancel": ("", ""),
    }
