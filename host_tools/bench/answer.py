"""What the desk of a module answered, as every host tool holds it: a value, and nothing that acts."""

import msgspec


class Answer(msgspec.Struct, frozen=True):
    """`data` for programs, `lines` for people. `kind` names what `data` is."""

    kind: str
    data: dict[str, object] = {}
    lines: tuple[str, ...] = ()
