"""How the guest is started, and what is said when it does not start. User Mode Linux itself is played by a script."""

import subprocess
import sys
from pathlib import Path

import pytest

from hil.guest import bluez, boot
from hil.guest.problems import GuestUnavailable


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """As `bluez.fetch` leaves it."""
    programs = tmp_path / "tree/usr/bin"
    programs.mkdir(parents=True)
    for program in bluez.PROGRAMS:
        (programs / program).write_text("")
    (programs / "libdbus-1.so.3").write_text("")
    return tmp_path / "tree"


def kernel(place: Path, script: str) -> Path:
    """A program in the kernel's place; `$OUT` is the directory of the run."""
    file = place / "linux"
    file.write_text(f'#!/bin/sh\nfor OUT in "$@"; do :; done\n{script}\n')
    file.chmod(0o755)
    return file


def job(directory: Path, **changes: object) -> boot.Run:
    return boot.Run(("pytest", "a b"), directory, memory_mib=1, wall_s=20.0, **changes)  # type: ignore[arg-type]


def test_the_jobs_words_and_its_exit_code_come_out(tmp_path: Path, tree: Path) -> None:
    said: list[str] = []
    linux = kernel(
        tmp_path,
        'echo "Core dump limits"; echo "[guest 0.05] ready"; echo "3 passed"; echo 3 >"$OUT/rc"\n'
        'echo "[guest 7.00] ended with 3"; echo "reboot: System halted"',
    )
    assert boot.run(linux, tree, job(tmp_path), said.append) == 3
    assert said == ["[guest 0.05] ready", "3 passed", "[guest 7.00] ended with 3"]


def test_what_the_run_leaves_behind_is_kept_where_one_says(tmp_path: Path, tree: Path) -> None:
    linux = kernel(tmp_path, 'echo "[guest 0] ready"; echo 0 >"$OUT/rc"; echo told >"$OUT/bluez.jsonl"')
    assert boot.run(linux, tree, job(tmp_path, out=tmp_path / "kept"), lambda _: None) == 0
    assert (tmp_path / "kept/bluez.jsonl").read_text() == "told\n"


def test_the_job_runs_in_its_directory_with_its_words_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "a place").mkdir()
    words = (
        sys.executable,
        "-c",
        "import os,sys; print(os.getcwd(), sys.argv[1:], os.environ['X'], os.environ['SHAREBOX_GUEST'])",
    )
    run = boot.Run((*words, "it's", "a b"), tmp_path / "a place", {"X": "y z"})
    done = subprocess.run(["sh", "-c", boot.script(run)], capture_output=True, text=True, check=True)
    assert done.stdout == f"{tmp_path / 'a place'} [\"it's\", 'a b'] y z 1\n"


def test_the_scripts_variables_survive_the_shell(tmp_path: Path, tree: Path) -> None:
    shell = f"{boot.settings(tree, job(tmp_path, capture=True))}echo $TREE_DBUS_DAEMON $LIMIT_S $CAPTURE"
    done = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, check=True)
    assert done.stdout == f"{tree}/usr/bin/dbus-daemon 3600 yes\n"


def test_waiting_costs_nothing_unless_real_time_is_wanted(tmp_path: Path) -> None:
    words = boot.command_line(tmp_path, tmp_path, tmp_path, job(tmp_path))
    assert "time-travel=inf-cpu" in words
    assert words[words.index("--") + 1] == f"{tmp_path}/init.sh"
    assert "time-travel=inf-cpu" not in boot.command_line(tmp_path, tmp_path, tmp_path, job(tmp_path, real_time=True))


def test_what_the_guest_would_not_see_any_more_is_opened_for_it() -> None:
    assert boot.covered([Path("/srv/anna/x"), Path("/var/lib/ci/x"), Path("/run/venv"), Path("/var/library")]) == [
        "run/venv",
        "var/lib/ci/x",
    ]


# ---------------------------------------------------------------- what can be wrong, each in one line
@pytest.mark.parametrize(
    ("script", "said"),
    [
        pytest.param("echo 'ptrace: Operation not permitted'; exit 1", "SYS_PTRACE", id="no ptrace"),
        pytest.param(
            "echo; echo 'mmap: Cannot allocate memory'; echo; exit 1", "Cannot allocate memory", id="no memory"
        ),
    ],
)
def test_a_machine_that_can_not_run_it_is_named(tmp_path: Path, tree: Path, script: str, said: str) -> None:
    with pytest.raises(GuestUnavailable, match=said):
        boot.run(kernel(tmp_path, script), tree, job(tmp_path), lambda _: None)


def test_a_guest_that_dies_under_way_has_failed(tmp_path: Path, tree: Path) -> None:
    with pytest.raises(boot.GuestFailed, match="without a result"):
        boot.run(kernel(tmp_path, "echo '[guest 1] ready'"), tree, job(tmp_path), lambda _: None)


def test_a_guest_that_hangs_is_ended_with_all_its_processes(tmp_path: Path, tree: Path) -> None:
    linux = kernel(tmp_path, "echo '[guest 1] ready'; sleep 1000 & wait")
    with pytest.raises(boot.GuestFailed, match=r"after 0\.3 s"):
        boot.run(linux, tree, boot.Run((), tmp_path, memory_mib=1, wall_s=0.3), lambda _: None)


def test_a_kernel_that_is_none_is_one_line(tmp_path: Path, tree: Path) -> None:
    with pytest.raises(GuestUnavailable, match="does not start: No such file"):
        boot.run(tmp_path / "none", tree, job(tmp_path), lambda _: None)


def test_no_room_for_the_memory_is_one_line(tmp_path: Path) -> None:
    assert boot.place_for_memory(1, ("/nowhere", str(tmp_path))) == tmp_path
    with pytest.raises(GuestUnavailable, match="--shm-size"):
        boot.place_for_memory(1 << 40, (str(tmp_path),))


def test_a_directory_that_a_kernels_command_line_can_not_name_is_one_line(tmp_path: Path, tree: Path) -> None:
    with pytest.raises(GuestUnavailable, match="a space"):
        boot.run(tmp_path, tree, job(tmp_path, out=tmp_path / "a b"), lambda _: None)
