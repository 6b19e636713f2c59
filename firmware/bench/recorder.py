"""The recorder: a witness that writes down everything that the pump is told and does.

Idle it only remembers what a recording would begin with. Decides when a recording begins: with a boot, or with a step,
because between two steps nothing is half done. What it can not write ends the recording and never the module.
"""

from collections import deque
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Concatenate, Final, ParamSpec

import structlog

from firmware import VERSION, keeper
from firmware.answers import acknowledges, unacknowledged
from firmware.bench import recording
from firmware.bench.difference import differences
from firmware.bench.notation import written
from firmware.bench.recordfile import RecordFile
from firmware.bench.recording import Reference, Said
from firmware.core.effects import Effect
from firmware.core.events import Event, StorageFailed, Ticked, Trouble
from firmware.core.reporting import iso_time
from firmware.core.reports import Record
from firmware.core.state import Durable, State
from firmware.gateway import Heard
from firmware.ports import LinkId, Publication
from firmware.witness import Step, Witness
from protocol.provisioning import Provisioning

MOST_WAITING: Final = 1024
"""Events that were posted and not stepped; the pump keeps 512."""

Seen = ParamSpec("Seen")

log = structlog.get_logger("sharebox")


def _harmless(watch: "Callable[Concatenate[Recorder, Seen], None]") -> "Callable[Concatenate[Recorder, Seen], None]":
    """What goes wrong while watching ends the recording, and nothing else."""

    @wraps(watch)
    def watched(self: "Recorder", /, *seen: Seen.args, **more: Seen.kwargs) -> None:
        try:
            watch(self, *seen, **more)
        except Exception:  # broad: what watches the module must not stop it
            log.exception("recording ended")
            self.abandon()

    return watched


class Recorder(Witness):
    """One module's recorder; it outlives the module's power. `start` and `stop` at any time.

    `with_keys`: the module's private keys go into the file, so that it alone is enough for a replay. `directory`: where
    a recording goes that is only given a name.
    """

    def __init__(self, provisioning: Provisioning, *, with_keys: bool = False, directory: Path = Path()) -> None:
        self._provisioning = provisioning
        self._with_keys = with_keys
        self.directory = directory
        self._file: RecordFile | None = None
        self._before_this: RecordFile | None = None
        self._on = False
        self._n = 0
        self._links: set[LinkId] = set()
        self._before: State | None = None
        self._state: State | None = None
        self._effects: tuple[Effect, ...] = ()
        self._done: set[int] = set()
        """Places of the effects that were carried out."""
        self._event: Event | None = None
        self._of: Reference | None = None
        self._made: list[tuple[Event, Reference]] = []
        """Events that the gateway has just made, and that will be posted next."""
        self._waiting: deque[tuple[Event, Reference]] = deque(maxlen=MOST_WAITING)
        self._drawn: list[str] = []
        self.path: Path | None = None

    # ------------------------------------------------------------ on and off
    def start(self, path: Path) -> None:
        """Record into a new file, from the next step or boot on. Raises RecordingFailed."""
        file = RecordFile(path)
        self._before_this = self.end("another recording begins")
        self._file, self._on, self._n, self.path = file, False, 0, path
        self._waiting.clear()
        self._made.clear()
        file.put(recording.encode(recording.header(self._provisioning, VERSION, with_keys=self._with_keys)) + b"\n")

    def stop(self, why: str = "it was ended") -> None:
        """End the recording, and wait until it is on the disk; without one, nothing."""
        for file in (self._before_this, self.end(why)):
            if file is not None:
                file.close()

    def end(self, why: str = "it was ended") -> RecordFile | None:
        """End the recording. Its file may still be under way to the disk: whoever wants to wait for it closes it."""
        file = self._file
        if file is not None:
            self._put(recording.Ended(self._next(), why))
        self.abandon()
        return file

    def abandon(self) -> None:
        """End the recording as it is."""
        file, self._file, self._on = self._file, None, False
        if file is not None:
            file.end()

    @property
    def records(self) -> bool:
        """Whether a recording is under way."""
        return self._file is not None

    @property
    def lines(self) -> int:
        """Written so far, without the header."""
        return self._n

    # ------------------------------------------------------------ told
    @_harmless
    def posted(self, event: Event) -> None:
        """See Witness."""
        if self._on:
            self._waiting.append((event, self._reference(event)))

    def opened(self, link: LinkId, payload: int) -> None:
        """See Witness."""
        self._links.add(link)
        if self._on:
            self._put(recording.Opened(self._next(), link, payload))

    def payload_changed(self, link: LinkId, payload: int) -> None:
        """See Witness."""
        if self._on:
            self._put(recording.Payload(self._next(), link, payload))

    def closed(self, link: LinkId) -> None:
        """See Witness."""
        self._links.discard(link)
        if self._on:
            self._put(recording.Closed(self._next(), link))

    @_harmless
    def heard(self, link: LinkId, fragment: bytes, now_ms: int, heard: Heard, *, flooded: bool) -> None:
        """See Witness."""
        if self._on:
            number = self._next()
            said = self._said(number, heard, flooded)
            self._put(recording.Fragment(number, now_ms, link, fragment.hex(), said))

    @_harmless
    def ordered(self, topic: str, payload: bytes, correlation: bytes, event: Event) -> None:
        """See Witness."""
        if self._on:
            number = self._next()
            self._made = [(event, (number, 0))]
            self._put(recording.Order(number, topic, payload.hex(), written(event), correlation.hex()))

    def drew(self, entropy: bytes) -> None:
        """See Witness."""
        if self._on:
            self._drawn.append(entropy.hex())

    # ------------------------------------------------------------ done
    @_harmless
    def booted(self, found: Durable | None, trouble: Trouble | None, now_ms: int, made: Step) -> None:
        """See Witness."""
        self._before, self._state, self._effects, self._event = None, *made, None
        self._done.clear()
        self._links.clear()
        self._waiting.clear()
        if self._file is None:
            return
        self._on = True
        state, effects = made
        self._put(
            recording.Booted(
                self._next(),
                now_ms,
                written(state.profile),
                None if found is None else keeper.encode(found)[0].hex(),
                written(state),
                tuple(map(written, effects)),
                written(trouble),
            )
        )

    @_harmless
    def stepped(self, event: Event, now_ms: int, made: Step) -> None:
        """See Witness."""
        undone = isinstance(event, StorageFailed) and event.event is self._event
        before = self._before if undone else self._state
        if not undone:
            self._event = event
            if self._file is not None and not self._on and before is not None:
                self._begin(before)
        self._before, (self._state, self._effects) = before, made
        self._done.clear()
        if not self._on or before is None:
            return
        if not undone:
            self._of = self._posted_as(event)
        changed = {each.path: each.after for each in differences(before, self._state)}
        effects = tuple(map(written, self._effects))
        digest = recording.digest(self._state)
        self._put(recording.Stepped(self._next(), now_ms, digest, self._of, undone, changed, effects))

    def saved(self, worked: bool, *, owes_state: bool) -> None:
        """See Witness."""
        if self._on:
            self._put(recording.Saved(self._next(), worked, owes_state))

    @_harmless
    def did(self, effect: Effect, heard: Heard, *, flooded: bool = False) -> None:
        """See Witness."""
        if not self._on:
            return
        number = self._next()
        place = next((at for at, each in enumerate(self._effects) if each is effect), None)
        unsure = place is None
        if place is None:
            place = self._acknowledgement(effect)
        self._done.add(place)
        said = self._said(number, heard, flooded)
        self._put(recording.Did(number, place, type(effect).__name__, said, unsure))

    @_harmless
    def published(self, publication: Publication, now_ms: int, records: tuple[Record, ...]) -> None:
        """See Witness."""
        if not self._on:
            return
        text = _text(publication.payload)
        numbers = tuple(record.number for record in records if record.number)
        self._put(
            recording.Published(
                self._next(),
                now_ms,
                publication.topic,
                publication.payload.hex() if text is None else text,
                text is None,
                publication.retain,
                publication.expiry_s,
                publication.content_type,
                publication.attributes,
                publication.correlation.hex(),
                numbers,
                records[0].seq if records and not numbers else None,
            )
        )

    # ------------------------------------------------------------ inside
    def _next(self) -> int:
        self._n += 1
        return self._n

    def _put(self, line: recording.Line) -> None:
        if self._file is None or self._file.put(recording.encode(line) + b"\n"):
            return
        log.warning("recording ended", why=self._file.failed, lines=self._n - 1)
        self.abandon()

    def _begin(self, state: State) -> None:
        self._on = True
        self._put(recording.Begun(self._next(), written(state), tuple(sorted(self._links))))

    def _said(self, number: int, heard: Heard, flooded: bool) -> Said:
        self._made = [] if flooded else [(event, (number, at)) for at, event in enumerate(heard.events)]
        drawn, self._drawn = tuple(self._drawn), []
        events = tuple(map(written, heard.events))
        return Said(events, tuple(each.hex() for each in heard.fragments), drawn, heard.hang_up, flooded)

    def _reference(self, event: Event) -> Reference:
        """Where an event stands; if nowhere yet, it is written down."""
        for made, reference in self._made:
            if made is event:
                return reference
        number = self._next()
        self._put(recording.Told(number, written(event)))
        return (number, 0)

    def _posted_as(self, event: Event) -> Reference | None:
        """What was posted before it and is not stepped by now never will be."""
        at = next((at for at, (waiting, _) in enumerate(self._waiting) if waiting is event), None)
        if at is None:
            return None if isinstance(event, Ticked) else self._reference(event)
        for _ in range(at):
            self._waiting.popleft()
        return self._waiting.popleft()[1]

    def _acknowledgement(self, effect: Effect) -> int:
        """The place of the effect that this one takes the place of."""
        return next(
            at
            for at, each in enumerate(self._effects)
            if at not in self._done and acknowledges(each) and unacknowledged(each) == effect
        )


def _text(payload: bytes) -> str | None:
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return None


def named(path: Path, module_id: bytes, utc_ms: int) -> Path:
    """Where to record: `path`, or a file of its own in it when it is a directory."""
    if not path.is_dir():
        return path
    moment = iso_time(utc_ms).replace(":", "").replace("-", "").partition(".")[0]
    return path / f"{module_id.hex()}-{moment}Z.jsonl"
