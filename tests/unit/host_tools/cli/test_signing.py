"""What every command that signs has in common."""

from pathlib import Path

import pytest

from host_tools.cli.signing import Issuing, holder_of, issuer_of, module_of, write_signed
from host_tools.phone.keyring import KeyringError, new_key, write_key
from protocol import keys
from tests.support.command import shareboxctl


def test_a_holder_is_a_key_file_or_a_public_key_in_hex() -> None:
    private = new_key()
    write_key(Path("phone.pem"), private)
    point = keys.public_to_bytes(private.public_key())
    assert keys.public_to_bytes(holder_of("phone.pem")) == keys.public_to_bytes(holder_of(point.hex())) == point
    with pytest.raises(KeyringError, match="cannot read"):
        holder_of("04" * 33)


def test_whose_key_and_which_module_the_settings_say(capsys: pytest.CaptureFixture[str]) -> None:
    (made,) = shareboxctl(capsys)("module", "init", "b", "--json").objects()
    settings = Issuing(issuer="b/issuer.pem", provisioning="b/provisioning.json").settings()
    module = module_of(settings)
    assert module.module_id.hex() == made["module"]
    assert module.issuers == (keys.public_to_bytes(issuer_of(settings).public),)


def test_what_was_signed_is_written_whole_and_told(capsys: pytest.CaptureFixture[str]) -> None:
    for signed in (b"signed", b"signed anew"):
        write_signed(Path("x.cose"), signed, "take-over", Issuing(), {"number": 7})
        assert Path("x.cose").read_bytes() == signed
        assert capsys.readouterr().out == f"x.cose: take over, {len(signed)} bytes\n"
