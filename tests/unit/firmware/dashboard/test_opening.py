"""How the page's address gets into a browser."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from firmware.dashboard.opening import leading_to

ADDRESS = "http://127.0.0.1:8080/#a-key_of-32"


def test_what_the_browser_is_started_with_holds_no_key_and_leads_to_the_page() -> None:
    with leading_to(ADDRESS) as shown:
        assert urlsplit(shown).scheme == "file"
        assert "a-key" not in shown
        file = Path(unquote(urlsplit(shown).path))
        assert f"url={ADDRESS}" in file.read_text("utf-8")
    assert not file.parent.exists()


def test_nobody_else_can_read_it() -> None:
    with leading_to(ADDRESS) as shown:
        folder = Path(unquote(urlsplit(shown).path)).parent
        assert folder.stat().st_mode & 0o077 == 0


def test_an_address_is_text_in_it() -> None:
    with leading_to('http://127.0.0.1/#"><script>') as shown:
        assert "<script>" not in Path(unquote(urlsplit(shown).path)).read_text("utf-8")
