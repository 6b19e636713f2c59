"""A console of a few words in machine mode: it greets, answers, refuses and keeps silent."""

import json

from tests.support.serial_peer import SerialPeer

HELLO: dict[str, object] = {
    "type": "hello",
    "module": "ab" * 8,
    "version": "0.1.0",
    "level": "operate",
    "prompt": "parked> ",
}


class ScriptedConsole:
    """Behind `peer`. `asked`: all that it was asked, "enter" and "leave" as well. `deaf_to`: so much goes unheard."""

    def __init__(self, peer: SerialPeer) -> None:
        self.peer = peer
        self.asked: list[str] = []
        self.deaf_to = 0
        self._held = b""
        peer.read = self.read

    def read(self, text: bytes) -> None:
        """What the host typed."""
        for control in (b"\x01", b"\x02"):
            if control in text:
                self.asked.append("enter" if control == b"\x01" else "leave")
                text = text.replace(control, b"")
                if control == b"\x01" and len(self.asked) > self.deaf_to:
                    self.say(HELLO)
        *lines, self._held = (self._held + text).split(b"\n")
        for line in lines:
            self.answer(json.loads(line))

    def say(self, said: dict[str, object]) -> None:
        """One object on a line."""
        self.peer.write(json.dumps(said, separators=(",", ":")).encode() + b"\r\n")

    def answer(self, asked: dict[str, object]) -> None:
        """Answer one request; noise and other people's answers come before it."""
        self.asked.append(str(asked["do"]))
        head: dict[str, object] = {"format": "sharebox-bench/1", "id": asked["id"]}
        match asked["do"]:
            case "refuse":
                self.say({"type": "error", **head, "code": "USAGE", "message": "no:\nsuch thing. Try help."})
            case "vanish":
                self.peer.vanish()
            case "odd":
                self.say({"type": "result", **head, "kind": 5})
            case "silence":
                pass
            case _:
                self.peer.write(b'noise\r\n{\r\n{"type":\r\n[]\r\nprompt> ')
                self.say({"type": "result", **head, "id": "another", "kind": "no", "data": {}, "lines": []})
                self.say({"type": "happened", "kind": "step"})
                self.say({"type": "result", **head, "kind": "time", "data": {"utc_ms": 1}, "lines": ["a\x1bb", "c"]})
