"""What became of the mutants, as text. The reasons for those that are no mistake are in `equivalent.toml`."""

import hashlib
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.mutation.operators import Mutant

REASONS: Final = Path(__file__).with_name("equivalent.toml")

_HEAD: Final = """# Mutation testing

Does any test notice when the code is wrong? One small thing at a time is changed in the core, in the tokens and in the
session: a comparison, a bound, a sign, a condition, a number by one, a statement or an argument left out, a return with
another one's value. A mutant is killed when a test fails or hangs: one of the module's own, else one of its
neighbours', else a story or a property. One that survives is no mistake, for the reason that stands below, or it is
open.

    make mutation                                     # everything; goes on where it was stopped, and writes this page
    make mutation ARGS=firmware/core/trip.py          # one module
    make mutation ARGS=--quick                        # without stories and properties
    make mutation ARGS=--thorough                     # stories and properties also for those that have a reason

A run fails when a mutant is open, or a reason is given for one that is killed or there no more. The reasons are in
`tests/mutation/equivalent.toml`. Verdicts are kept in `build/mutation` and asked for anew when the module or the tests
that gave them have changed; without that folder everything is asked for anew. The figures are from a virtual machine
with two cores (AMD EPYC), Python 3.11.

"""


@dataclass(frozen=True)
class Verdict:
    """`killer`: the stage that noticed, or ""; `reason`: why nobody can."""

    mutant: Mutant
    killer: str
    reason: str

    @property
    def open(self) -> bool:
        """Survived, and nobody has said why."""
        return not self.killer and not self.reason


def digest(text: str) -> str:
    """A short name for a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_reasons(path: Path = REASONS) -> dict[str, str]:
    """Reason by name of the mutant. One entry may hold several mutants of one function."""
    reasons: dict[str, str] = {}
    for entry in tomllib.loads(path.read_text("utf-8"))["equivalent"]:
        for change in entry["changes"]:
            name = f"{entry['module']} {entry['in']}: {change}"
            assert name not in reasons, f"given twice: {name}"
            reasons[name] = entry["why"]
    return reasons


def stale(reasons: Iterable[str], verdicts: Iterable[Verdict], paths: Iterable[str]) -> list[str]:
    """Reasons for mutants of these modules that are killed, or are there no more."""
    alive = {verdict.mutant.name for verdict in verdicts if not verdict.killer}
    looked_at = set(paths)
    return [name for name in reasons if name.partition(" ")[0] in looked_at and name not in alive]


def table(verdicts: list[Verdict]) -> str:
    """Counts for each module."""
    killers = ("own tests", "neighbours", "stories", "properties")
    lines = ["| module | mutants | own tests | neighbours | stories, properties | equivalent | open |"]
    lines.append("|---|---|---|---|---|---|---|")
    for path in [*dict.fromkeys(verdict.mutant.path for verdict in verdicts), ""]:
        of = [verdict for verdict in verdicts if path in (verdict.mutant.path, "")]
        own, near, *far = (sum(verdict.killer == killer for verdict in of) for killer in killers)
        equivalent, left = sum(bool(v.reason) for v in of), sum(v.open for v in of)
        lines.append(f"| {path or 'all'} | {len(of)} | {own} | {near} | {sum(far)} | {equivalent} | {left} |")
    return "\n".join(lines) + "\n"


def page(verdicts: list[Verdict]) -> str:
    """The whole page."""
    text = _HEAD + table(verdicts)
    for title, wanted in (("Equivalent", False), ("Open", True)):
        names = [v for v in verdicts if not v.killer and v.open is wanted]
        if names:
            text += f"\n## {title}\n"
        why = None
        for verdict in sorted(names, key=lambda v: (v.mutant.path, v.reason)):
            if (verdict.mutant.path, verdict.reason) != why:
                why = verdict.mutant.path, verdict.reason
                text += f"\n`{verdict.mutant.path}`: {verdict.reason}\n\n"
            mutant = verdict.mutant
            nth = f" (no. {mutant.nth})" if mutant.nth > 1 else ""
            text += f"- in `{mutant.where}`: `{mutant.before}` → `{mutant.after}`{nth}\n"
    return text
