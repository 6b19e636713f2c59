"""The files that mosquitto reads."""

from pathlib import Path

import pytest

from host_tools.backend.rights import Role, acl_client, acl_names, acl_patterns, configuration, listener_port
from protocol.telemetry import Channel


@pytest.mark.req("TEL-8")
def test_a_module_writes_what_it_reports_and_reads_its_orders() -> None:
    lines = acl_patterns().splitlines()
    assert "pattern read sharebox/%u/order" in lines
    assert "pattern write sharebox/%u/order/result" in lines
    assert "pattern write homeassistant/device/sharebox/%u/config" in lines
    for channel in Channel:
        assert sum(line.endswith(f" sharebox/%u/{channel}") for line in lines) == 1
    rules = [line for line in lines if not line.startswith("#")]
    assert all(line.startswith(("pattern read ", "pattern write ")) for line in rules)
    assert not any(wildcard in line for line in rules for wildcard in "#+"), "nothing but its own topics"


@pytest.mark.req("TEL-8")
def test_a_backend_sends_orders_and_a_reader_does_not_even_see_them() -> None:
    lines = acl_client("backend", Role.BACKEND).splitlines()
    assert lines[:2] == ["", "user backend"]
    assert set(lines[2:]) == {f"topic read sharebox/+/{channel}" for channel in Channel} | {
        "topic write sharebox/+/order"
    }
    lines = acl_client("ha", Role.READER).splitlines()
    assert lines[:2] == ["", "user ha"]
    assert [line for line in lines if "write" in line] == ["topic write homeassistant/status"]
    assert "topic read sharebox/+/state" in lines
    assert "topic read sharebox/+/order" not in lines


@pytest.mark.req("PRV-1", "SVC-8")
def test_emergency_calls_are_for_the_emergency_centre_alone() -> None:
    assert acl_client("psap", Role.CENTRE) == (
        "\nuser psap\ntopic read sharebox/+/emergency\ntopic write sharebox/+/emergency/ack\n"
    )
    lines = acl_patterns().splitlines()
    assert "pattern write sharebox/%u/emergency" in lines
    assert "pattern read sharebox/%u/emergency/ack" in lines
    for role in (Role.BACKEND, Role.READER):
        assert "emergency" not in acl_client("somebody", role)
        assert not [
            line for line in acl_client("somebody", role).splitlines() if line.startswith("topic read sharebox/#")
        ]


def test_the_clients_of_a_rights_file_are_known() -> None:
    text = acl_patterns() + acl_client("one", Role.BACKEND) + acl_client("two", Role.READER)
    assert acl_names(text) == {"one", "two"}
    assert acl_names(acl_patterns()) == set()


@pytest.mark.req("TEL-8")
def test_the_broker_asks_everybody_for_a_certificate() -> None:
    lines = configuration(Path("/etc/broker"), 8883, ["broker.example"], "anna").splitlines()
    for line in ("allow_anonymous false", "require_certificate true", "use_identity_as_username true"):
        assert line in lines
    assert "listener 8883" in lines
    assert "user anna" in lines
    assert "acl_file /etc/broker/acl" in lines
    assert "cafile /etc/broker/ca.pem" in lines


@pytest.mark.parametrize(
    ("hosts", "line"),
    [
        (["127.0.0.1", "localhost"], "listener 99 127.0.0.1"),
        (["127.0.0.1", "10.0.0.7"], "listener 99"),
        (["::1"], "listener 99"),
    ],
)
def test_a_broker_of_loopback_listens_nowhere_else(hosts: list[str], line: str) -> None:
    assert line in configuration(Path("/x"), 99, hosts, "anna").splitlines()


def test_the_port_is_found_in_a_configuration() -> None:
    assert listener_port(configuration(Path("/x"), 99, ["127.0.0.1"], "anna")) == 99
    assert listener_port("# listener 5\n  listener 7\n") == 7
    assert listener_port("listener x\nport 1883\n") is None
