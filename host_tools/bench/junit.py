"""Results of scenarios as JUnit XML, the way build machines read it.

Decides the form: one test suite, a test case for each scenario, its rules as properties, its transcript as output.
"""

from collections.abc import Sequence
from xml.etree import ElementTree

import msgspec


class Played(msgspec.Struct, frozen=True):
    """What became of one scenario. `failures`: what did not hold; `error`: why it could not be played to its end;
    `took_s`: real seconds."""

    name: str
    title: str
    rules: tuple[str, ...]
    transcript: str
    took_s: float
    failures: tuple[str, ...] = ()
    error: str = ""

    @property
    def held(self) -> bool:
        """Whether all that was expected was so."""
        return not self.failures and not self.error


def render(played: Sequence[Played], link: str) -> bytes:
    """The XML document, UTF-8. `link`: which bench it was."""
    suite = ElementTree.Element(
        "testsuite",
        name="sharebox.scenarios",
        tests=str(len(played)),
        failures=str(sum(bool(each.failures) for each in played)),
        errors=str(sum(bool(each.error) for each in played)),
        skipped="0",
        time=f"{sum(each.took_s for each in played):.3f}",
    )
    properties = ElementTree.SubElement(suite, "properties")
    ElementTree.SubElement(properties, "property", name="link", value=_clean(link))
    for each in played:
        suite.append(_case(each))
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(root, encoding="unicode").encode() + b"\n"


def _case(played: Played) -> ElementTree.Element:
    case = ElementTree.Element(
        "testcase", classname="sharebox.scenarios", name=played.name, time=f"{played.took_s:.3f}"
    )
    properties = ElementTree.SubElement(case, "properties")
    ElementTree.SubElement(properties, "property", name="title", value=_clean(played.title))
    for rule in played.rules:
        ElementTree.SubElement(properties, "property", name="rule", value=rule)
    if played.error:
        ElementTree.SubElement(case, "error", message=_clean(played.error), type="BenchFailed").text = ""
    if played.failures:
        failure = ElementTree.SubElement(case, "failure", message=_clean(played.failures[0]), type="Expectation")
        failure.text = _clean("\n".join(played.failures))
    ElementTree.SubElement(case, "system-out").text = _clean(played.transcript)
    return case


def _clean(text: str) -> str:
    """XML 1.0 has no control characters but these two."""
    return "".join(each for each in text if each.isprintable() or each in "\n\t")
