"""`shareboxctl module key`."""

from pathlib import Path

import pytest

from host_tools.cli.exits import Exit
from protocol import keys
from tests.support.command import shareboxctl


def test_a_key_is_made_once_and_shown_by_its_public_half(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    run = shareboxctl(capsys)
    made = run("module", "key", "new", "mine.pem")
    assert made.code == 0
    assert (tmp_path / "mine.pem").stat().st_mode & 0o777 == 0o600
    point, key_id, file = made.out.split()
    assert keys.key_id(keys.public_from_bytes(bytes.fromhex(point))).hex() == key_id
    assert file == "mine.pem"
    assert run("module", "key", "show", "mine.pem").out == made.out
    (shown,) = run("module", "key", "show", "mine.pem", "--json").objects()
    assert shown == {
        "type": "key",
        "format": "shareboxctl/1",
        "file": "mine.pem",
        "public": point,
        "key_id": key_id,
    }
    again = run("module", "key", "new", "mine.pem")
    assert again.code == Exit.CONFIGURATION
    assert "not overwritten" in again.err


@pytest.mark.req("SEC-2")
def test_a_private_key_is_never_printed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    run = shareboxctl(capsys)
    made = run("module", "key", "new", "mine.pem", "--json")
    secret = (tmp_path / "mine.pem").read_text().splitlines()[1]
    assert secret not in made.out + made.err
