"""Where a value comes from."""

from pathlib import Path

import pytest

from host_tools.cli.exits import CliError, Exit
from host_tools.cli.settings import DEFAULTS, Settings


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_flags_win_over_environment_over_project_over_user_over_defaults(tmp_path: Path) -> None:
    project, user = tmp_path / "project", tmp_path / "xdg"
    environment = {"XDG_CONFIG_HOME": str(user)}

    def link(flag: str | None = None) -> tuple[str, str]:
        value = Settings({"link": flag}, environment, project / "deep" / "er").value("link")
        return value.text, value.origin

    (project / "deep" / "er").mkdir(parents=True)
    assert link() == ("auto", "the default")
    write(user / "sharebox" / "shareboxctl.toml", 'link = "virtual:h:1"\n')
    assert link() == ("virtual:h:1", str(user / "sharebox" / "shareboxctl.toml"))
    write(project / "shareboxctl.toml", 'link = "virtual:h:2"\n')
    assert link() == ("virtual:h:2", str(project / "shareboxctl.toml"))
    environment["SHAREBOXCTL_LINK"] = "virtual:h:3"
    assert link() == ("virtual:h:3", "the variable SHAREBOXCTL_LINK")
    assert link("virtual:h:4") == ("virtual:h:4", "the command line")


def test_paths_in_a_file_are_relative_to_it_and_numbers_may_be_numbers(tmp_path: Path) -> None:
    write(tmp_path / "shareboxctl.toml", 'key = "k.pem"\nbooking = "/abs/b.json"\ntimeout = 2.5\n')
    settings = Settings({}, {}, tmp_path)
    assert settings.path("key") == tmp_path / "k.pem"
    assert settings.path("booking") == Path("/abs/b.json")
    assert settings.seconds("timeout") == 2.5


@pytest.mark.parametrize("text", ["0", "-1", "ten", "3601", "nan"])
def test_a_timeout_that_is_no_time_is_refused_with_its_origin(text: str, tmp_path: Path) -> None:
    with pytest.raises(CliError, match="from the command line") as caught:
        Settings({"timeout": text}, {}, tmp_path).seconds("timeout")
    assert caught.value.exit_code is Exit.CONFIGURATION


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("lnk = 'auto'", r"'lnk' is no setting\. Did you mean 'link'\?"),
        ("colour = 'red'", r"'colour' is no setting\. Settings are: link, timeout, "),
        ('"l\\nk" = "auto"', "'l k' is no setting"),
        ("link = ['auto']", "'link' has to be text or a number"),
        ("link =", "cannot be read"),
    ],
)
def test_a_file_that_is_wrong_is_named(text: str, why: str, tmp_path: Path) -> None:
    write(tmp_path / "shareboxctl.toml", text)
    with pytest.raises(CliError, match=why) as caught:
        Settings({}, {}, tmp_path)
    assert "shareboxctl.toml" in str(caught.value)
    assert caught.value.exit_code is Exit.CONFIGURATION


def test_every_setting_has_a_default(tmp_path: Path) -> None:
    settings = Settings({}, {}, tmp_path)
    assert {name: settings.text(name) for name in DEFAULTS} == DEFAULTS
