"""The tree of commands: what each is called, where its function is, and one line of help.

A new command is one line here. Functions are named, not imported: that is what makes help and completion quick.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

_HERE: Final = "host_tools.cli"


class Leaf(NamedTuple):
    """A command: its name, its function as "module:function", its line of help."""

    name: str
    function: str
    text: str


class Branch(NamedTuple):
    """A group of commands."""

    name: str
    text: str
    below: "tuple[Leaf | Branch, ...]"


def _leaf(name: str, function: str, text: str) -> Leaf:
    return Leaf(name, f"{_HERE}.{function}", text)


_PHONE: Final = Branch(
    "phone",
    "What a phone with a booking or a key does: find the car, open it, drive it, end the booking.",
    (
        _leaf("init", "phone:init", "Make a directory for another phone, with a key of its own."),
        _leaf("scan", "car:scan", "Show the modules in range."),
        _leaf("status", "car:status", "Show whether booking or key opens the car now, and the state of the car."),
        _leaf("unlock", "car:unlock", "Open the car."),
        _leaf("boot", "car:boot", "Open the boot."),
        _leaf("lock", "car:lock", "Close the car."),
        _leaf("drive", "car:drive", "Release the immobiliser; --off arms it again."),
        _leaf("end", "car:end", "End the booking."),
        _leaf("keys", "car:keys", "Show the shared keys that the car knows; for the main user."),
        _leaf("locate", "car:locate", "Show where the car is."),
        _leaf("outcome", "car:outcome", "Ask how an earlier command ended."),
        _leaf("put", "car:put", "Hand a signed order, list or time to the module."),
        _leaf("nonce", "car:nonce", "Fetch a nonce, to have the time signed for the module."),
        _leaf("set-time", "car:set_time", "Give the module the time, signed by the development issuer."),
    ),
)
_PKI: Final = Branch(
    "pki",
    "Make certificates for the broker, its modules and its clients.",
    (
        _leaf(
            "init", "pki:init", "Make an authority, a broker's certificate, and mosquitto.conf and acl for that broker."
        ),
        _leaf("broker", "pki:broker", "Make a new certificate for the broker."),
        _leaf("module", "pki:module", "Make a module's certificate, and print what its sharebox.toml has to say."),
        _leaf("client", "pki:client", "Make a certificate for a backend or a listener, and give it its rights."),
    ),
)
_ISSUER: Final = Branch(
    "issuer",
    "What a backend does: sign bookings, orders, lists and times, and make certificates.",
    (
        _leaf("booking", "issue:booking", "Make a booking and write the file that a phone is given."),
        _leaf("end-order", "issue:end_order", "Sign an order that ends a booking."),
        _leaf("order", "issue:order", "Sign an order to the car from afar."),
        _leaf("subscription", "subscription:subscription", "Sign what the owner has paid for."),
        _leaf("renew", "subscription:renew", "Sign that the owner has paid for more."),
        _leaf("pause", "subscription:pause", "Sign that sharing pauses."),
        _leaf("resume", "subscription:resume", "Sign that sharing goes on after a pause."),
        _leaf("couple", "desk:couple", "Sign an order that makes somebody the owner of a car that has none."),
        _leaf("take-over", "desk:take_over", "Sign an order that makes somebody the owner of another's car."),
        _leaf("remove", "desk:remove", "Sign an order by which the owner gives the car up."),
        _leaf("remove-driver", "desk:remove_driver", "Sign an order that takes a driver off the list."),
        _leaf("services", "services:services", "Sign which connected services were bought."),
        _leaf("home", "desk:home", "Sign where the car is at home."),
        _leaf("send-to-car", "desk:send_to_car", "Sign a destination for the car's navigation."),
        _leaf("revocation-list", "issue:revocation_list", "Sign a list of what is withdrawn."),
        _leaf("time", "issue:time_attestation", "Sign the time for a nonce of the module."),
        _leaf("send", "send:send", "Send an order over MQTT, and wait for its answer."),
        _PKI,
    ),
)
_KEY: Final = Branch(
    "key",
    "Digital keys: the main user's, what is shared of it, and how it is deleted.",
    (
        _leaf("create", "standing:create", "Sign the main user's standing key for a phone."),
        _leaf("request", "guest:request", "Ask for a shared key: write an invitation."),
        _leaf("share", "sharing:share", "Share the main user's key with somebody."),
        _leaf("accept", "guest:accept", "Check a shared key and keep it on this phone."),
        _leaf("list", "sharing:list_", "Show what was shared."),
        _leaf("delete", "sharing:delete", "Delete a shared key."),
    ),
)
_DEALER: Final = Branch(
    "dealer",
    "A dealer's part: test a module from the factory, and couple the car to its owner.",
    (
        _leaf("credential", "standing:credential", "Sign a dealer's key for a phone."),
        _leaf("test", "dealer:self_test", "Have a module test itself, and show its signed report."),
        _leaf("couple", "dealer:couple", "Make somebody the owner of the car in front of you."),
    ),
)
_MODULE: Final = Branch(
    "module",
    "The module: make one for the bench, look into a running one, change its time, let things fail.",
    (
        _leaf("init", "module:init", "Make a directory with issuer, module and phone, ready to run."),
        _leaf("info", "module:info", "Show who a module is: identifier, public keys, home."),
        _leaf("state", "console:state", "Show the state of the module, save it, load it, or compare it."),
        _leaf("why", "console:why", "Show the reason for the last refusal, and what would change it."),
        _leaf("log", "console:log", "Show what the module did last."),
        _leaf("time", "console:time", "Show or change the module's time."),
        _leaf("fault", "console:fault", "Let something fail, for a while or until it is cleared."),
        _leaf("do", "console:do", "Carry out any command of the module's console."),
        Branch(
            "key",
            "Make and show private keys.",
            (
                _leaf("new", "keys:new", "Make a private key that only you can read."),
                _leaf("show", "keys:show", "Show the public half of a key."),
            ),
        ),
    ),
)
_BENCH: Final = Branch(
    "bench",
    "A bench and what belongs to it.",
    (
        _leaf("doctor", "doctor:doctor", "Check the set-up, and say how to put it right."),
        _leaf("console", "console:console", "Open the module's console, or carry out one command."),
        _leaf("capture", "capture:capture", "Show what a capture of radio or serial line says, with tshark."),
    ),
)
_SCENARIO: Final = Branch(
    "scenario",
    "Stories in TOML, played on a module: what happens, and what has to hold then.",
    (
        _leaf("run", "scenario:run", "Play scenarios; without names, the whole library."),
        _leaf("list", "scenario:list_", "Show the scenarios of the library."),
        _leaf("show", "scenario:show", "Show one scenario."),
        _leaf("lint", "scenario:lint", "Check files for faults without playing them."),
        _leaf("new", "scenario:new", "Write a scenario to begin with."),
        _leaf("phrases", "scenario:phrases", "Show every phrase that a scenario can use."),
    ),
)
_CONFIG: Final = Branch(
    "config",
    "The settings of this program.",
    (_leaf("show", "config:show", "Show every setting; --origin says where each comes from."),),
)
_COMPLETION: Final = Branch(
    "completion",
    "Completion of commands and options in a shell.",
    (
        _leaf("bash", "completion:bash", "Print the script for bash."),
        _leaf("zsh", "completion:zsh", "Print the script for zsh."),
        _leaf("fish", "completion:fish", "Print the script for fish."),
        _leaf("install", "completion:install", "Install it for a shell."),
    ),
)

COMMANDS: Final[tuple[Leaf | Branch, ...]] = (
    _PHONE,
    _KEY,
    _DEALER,
    _ISSUER,
    _MODULE,
    _BENCH,
    _leaf("console", "console:console", "Open the module's console, or carry out one command."),
    _SCENARIO,
    _leaf("watch", "watch:watch", "Follow what modules report over MQTT."),
    _leaf("history", "history:history", "Show what `watch --save` has kept."),
    _CONFIG,
    _COMPLETION,
)
"""The whole tree, in the order in which the pages tell it."""


def names(tree: tuple[Leaf | Branch, ...] = COMMANDS, above: str = "") -> dict[str, bool]:
    """The full name of every command and group -> whether it is a command."""
    found: dict[str, bool] = {}
    for one in tree:
        found[above + one.name] = isinstance(one, Leaf)
        if isinstance(one, Branch):
            found |= names(one.below, f"{above}{one.name} ")
    return found


def reached(tokens: Sequence[str]) -> str:
    """The full name of the command or group that `tokens` lead to, options left aside; empty: none."""
    known, name = names(), ""
    for token in tokens:
        below = f"{name} {token}".strip()
        if below in known:
            name = below
        elif not token.startswith("-"):
            break
    return name
