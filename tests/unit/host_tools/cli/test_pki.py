"""`shareboxctl issuer pki`: the files, their modes, and what is not overwritten."""

import stat
import tomllib
from pathlib import Path

import pytest

from host_tools.backend import pki
from host_tools.cli.exits import Exit
from tests.support.command import Ran, shareboxctl

MODULE = "a1b2c3d4e5f60718"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> "Run":
    return Run(capsys)


class Run:
    """Runs `shareboxctl issuer pki ...`; `good` wants success."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._run = shareboxctl(capsys)

    def __call__(self, *tokens: str) -> Ran:
        return self._run("issuer", "pki", *tokens)

    def good(self, *tokens: str) -> Ran:
        ran = self(*tokens)
        assert ran.code == 0, ran.err
        return ran


def refused(ran: Ran, code: Exit, words: str) -> None:
    assert ran.code == code
    assert words in ran.err
    assert ran.err.count("\n") == 1, "one line"


def mode(path: str) -> int:
    return stat.S_IMODE(Path(path).stat().st_mode)


@pytest.mark.req("TEL-8")
def test_everything_that_a_broker_needs_is_made_and_keys_are_private(run: Run) -> None:
    ran = run.good("init", "127.0.0.1", "broker.example", "--port", "9883", "--json")
    (fields,) = ran.objects()
    assert fields["hosts"] == ["127.0.0.1", "broker.example"]
    assert fields["port"] == 9883
    assert sorted(path.name for path in Path("pki").iterdir()) == [
        "acl",
        "broker.key",
        "broker.pem",
        "ca.key",
        "ca.pem",
        "mosquitto.conf",
    ]
    assert mode("pki/ca.key") == mode("pki/broker.key") == 0o600
    assert mode("pki/acl") == 0o600, "newer brokers refuse rights that everybody may read"
    assert "listener 9883\n" in Path("pki/mosquitto.conf").read_text()


@pytest.mark.req("TEL-8")
def test_a_module_gets_its_files_and_the_lines_of_its_configuration(run: Run, tmp_path: Path) -> None:
    run.good("init", "broker.example")
    ran = run.good("module", MODULE)
    printed = tomllib.loads(ran.out)["broker"]
    at = tmp_path / "pki" / MODULE
    assert printed == {
        "host": "broker.example",
        "port": 8883,
        "tls_ca": str(at / "ca.pem"),
        "tls_cert": str(at / "module.pem"),
        "tls_key": str(at / "module.key"),
    }
    beside = tomllib.loads((at / "broker.toml").read_text())["broker"]
    assert beside["tls_key"] == "module.key"
    assert mode(f"pki/{MODULE}/module.key") == 0o600
    assert (at / "ca.pem").read_bytes() == Path("pki/ca.pem").read_bytes()
    assert not (at / "ca.key").exists()


def test_a_client_gets_its_rights_once(run: Run) -> None:
    run.good("init", "127.0.0.1")
    ran = run.good("client", "backend")
    assert "shareboxctl watch --broker 127.0.0.1:8883 --tls-ca pki/backend/ca.pem" in ran.err
    run.good("client", "ha", "--role", "reader", "--for", "4w")
    acl = Path("pki/acl").read_text()
    assert acl.count("user backend\n") == acl.count("user ha\n") == 1
    assert mode("pki/acl") == 0o600
    for name in ("ca.pem", "client.pem", "client.key"):
        Path("pki/ha", name).unlink()
    run.good("client", "ha", "--role", "reader")
    assert Path("pki/acl").read_text() == acl, "a renewed certificate changes no right"
    for name in ("ca.pem", "client.pem", "client.key"):
        Path("pki/ha", name).unlink()
    refused(run("client", "ha"), Exit.CONFIGURATION, "has other rights")


def test_a_broker_gets_a_new_certificate_when_the_old_one_is_out_of_the_way(run: Run) -> None:
    run.good("init", "127.0.0.1")
    refused(run("broker", "127.0.0.1"), Exit.CONFIGURATION, "broker.pem exists")
    Path("pki/broker.pem").unlink()
    Path("pki/broker.key").unlink()
    run.good("broker", "new.example")
    assert pki.hosts_of(pki.read_certificate(Path("pki/broker.pem").read_bytes())) == ["new.example"]
    assert '"new.example"' in run.good("module", MODULE).out


def test_nothing_is_overwritten_and_nothing_half_written(run: Run) -> None:
    run.good("init", "127.0.0.1")
    before = {path.name: path.read_bytes() for path in Path("pki").iterdir()}
    refused(run("init", "127.0.0.1"), Exit.CONFIGURATION, "exists")
    Path("pki/ca.pem").unlink()
    refused(run("init", "127.0.0.1"), Exit.CONFIGURATION, "ca.key exists")
    assert not Path("pki/ca.pem").exists()
    Path("pki/ca.pem").write_bytes(before["ca.pem"])
    run.good("module", MODULE)
    refused(run("module", MODULE), Exit.CONFIGURATION, "exists")
    Path("pki", MODULE, "broker.toml").unlink()
    refused(run("module", MODULE), Exit.CONFIGURATION, "module.pem exists")
    run.good("client", "backend")
    refused(run("client", "backend"), Exit.CONFIGURATION, "client.pem exists")
    for name, data in before.items():
        if name != "acl":
            assert Path("pki", name).read_bytes() == data


def test_what_a_user_got_wrong_is_said_in_one_line(run: Run) -> None:
    refused(run("init"), Exit.USAGE, "a broker needs a name")
    refused(run("init", "a b"), Exit.USAGE, "is no host")
    refused(run("init", "x", "--for", "1000000w"), Exit.USAGE, "ask for")
    refused(run("init", "x", "--for", "soon"), Exit.USAGE, "is no duration")
    assert not Path("pki").exists()
    for command in (["module", MODULE], ["client", "b"], ["broker", "x"]):
        refused(
            run(*command),
            Exit.CONFIGURATION,
            "pki holds no authority. Make one with `shareboxctl issuer pki init HOST`",
        )
    run.good("init", "127.0.0.1")
    refused(run("module", "xy"), Exit.USAGE, "16 hexadecimal digits")
    refused(run("client", "Capital"), Exit.USAGE, "is no name for a client")
    refused(run("client", MODULE), Exit.USAGE, "is a module's identifier")
    refused(run("client", "b", "--for", "1000w"), Exit.CONFIGURATION, "cannot outlast its authority")
    refused(run("init", "x", "--port", "0"), Exit.USAGE, "port")


def test_damaged_files_are_named(run: Run) -> None:
    run.good("init", "127.0.0.1")
    configuration = Path("pki/mosquitto.conf").read_text()
    Path("pki/mosquitto.conf").write_text("")
    refused(run("module", MODULE), Exit.CONFIGURATION, "mosquitto.conf does not say where the broker is")
    Path("pki/mosquitto.conf").write_text(configuration)
    certificate = Path("pki/broker.pem").read_bytes()
    Path("pki/broker.pem").write_bytes(b"x")
    refused(run("module", MODULE), Exit.CONFIGURATION, "pki/broker.pem: there is no certificate")
    Path("pki/broker.pem").write_bytes(Path("pki/ca.pem").read_bytes())
    refused(run("module", MODULE), Exit.CONFIGURATION, "broker.pem does not say where the broker is")
    Path("pki/broker.pem").write_bytes(certificate)
    Path("pki/ca.key").chmod(0o644)
    refused(run("module", MODULE), Exit.CONFIGURATION, "others may read it")
    Path("pki/ca.key").write_bytes(Path("pki/broker.key").read_bytes())
    Path("pki/ca.key").chmod(0o600)
    refused(run("module", MODULE), Exit.CONFIGURATION, "does not belong to its certificate")
    Path("pki/acl").write_bytes(b"\xff")
    refused(run("client", "b"), Exit.CONFIGURATION, "pki/acl is not a text file")
