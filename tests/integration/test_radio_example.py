"""The ten lines in the documentation of the radio run as they stand."""

from __future__ import annotations

import textwrap

import pytest

import host_tools.radio


def test_the_example_in_the_docstring_runs(capsys: pytest.CaptureFixture[str]) -> None:
    text = host_tools.radio.__doc__ or ""
    start, end = text.index("    from bleak import"), text.index("Faults are methods")
    exec(compile(textwrap.dedent(text[start:end]), "example", "exec"), {})
    assert capsys.readouterr().out.startswith("517 ['00001800-0000-1000-8000-00805f9b34fb'")
