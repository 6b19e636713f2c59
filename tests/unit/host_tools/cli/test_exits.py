"""Exit codes."""

from host_tools.cli.exits import EPILOGUE, MEANING, CliError, Exit


def test_every_exit_code_has_a_meaning_and_is_named_in_the_help() -> None:
    assert set(MEANING) == set(Exit)
    assert {int(code) for code in Exit} == {0, 1, 2, 3, 4, 5, 6, 130, 141}
    for code in Exit:
        assert f"{int(code)} " in EPILOGUE


def test_an_error_of_the_command_line_carries_its_code_and_its_line() -> None:
    error = CliError(Exit.USAGE, "'x' is no time. Write now.")
    assert (error.exit_code, str(error)) == (2, "'x' is no time. Write now.")
