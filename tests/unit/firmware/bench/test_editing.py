"""What the editors have in common."""

from firmware.bench.editing import Screen


def written(*lines: str) -> bytes:
    out: list[bytes] = []
    Screen(out.append).lines(*lines)
    return b"".join(out)


def test_lines_end_as_terminals_want_it_and_can_not_move_the_cursor() -> None:
    assert written("parked", "Grüße") == "parked\r\nGrüße\r\n".encode()
    assert written("a\x1b[2Jb\nc") == b"a [2Jb c\r\n"
    assert written("\ud800") == b" \r\n"
    assert written() == b""


def test_a_size_that_is_none_is_put_into_bounds() -> None:
    screen = Screen(lambda _data: None)
    assert (screen.rows, screen.columns) == (24, 80)
    screen.resize(50, 132)
    assert (screen.rows, screen.columns) == (50, 132)
    screen.resize(0, 99999)
    assert (screen.rows, screen.columns) == (4, 1000)
