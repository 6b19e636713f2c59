"""What a story claims right of its bar, and whether it holds."""

from firmware.core import admit, module, vehicle
from firmware.core.effects import Actuate
from firmware.core.events import Action
from protocol.errors import Code, Refusal
from protocol.messages import Accepted, Access, Done, NoticeKind, Outcome, Permission, Phase, Status
from protocol.telemetry import Channel
from tests.support import story_keys, story_ownership, story_services
from tests.support.story_world import Answered, World


class Line:
    """One line while it is played: what had happened before it, and the last answer."""

    def __init__(self, world: World, text: str, answer: Answered | None = None) -> None:
        self.world = world
        self.text = text
        self.answer = answer
        self.events = len(world.events)
        self.published = len(world.published)
        self.pushes = len(world.pushes)
        self.effects = len(world.effects)
        world.hung_up.clear()

    def situation(self) -> str:
        """For the message of a claim that does not hold."""
        state, now = self.world.state, self.world.mono
        trip = state.durable.trip
        overdue = admit.overdue_ms(state, now) if trip.running else None
        fresh = ", ".join(self.world.events[self.events :])
        return f"phase {trip.phase.name}, overdue_ms {overdue}, events {fresh}, answer {self.answer}"

    @property
    def refusal(self) -> Refusal | None:
        """The last answer when it is a refusal, or the refusal that its access state carries."""
        body = None if self.answer is None else self.answer.body
        if isinstance(body, Status):
            return body.access.refusal
        return body if isinstance(body, Refusal) else None


def check(line: Line, claim: str) -> None:
    """Fail unless the claim holds."""
    why = f"{claim!r} does not hold in the line\n    {line.text}\n    {line.situation()}"
    words = claim.split()
    of_keys = story_keys.claims(line.world, line.answer, line.effects, words)
    of_others = (story_ownership.claims(line.world, words), story_services.claims(line.world, words))
    verdicts = (
        of_keys,
        *of_others,
        _car(line, words),
        _phone(line, words),
        _answer(line, words),
        _reports(line, words),
    )
    known = [verdict for verdict in verdicts if verdict is not None]
    assert known, f"no such claim: {claim!r}"
    assert all(known), why


def _car(line: Line, words: list[str]) -> bool | None:
    """The car, and the booking in it."""
    world = line.world
    state = world.state
    posture = module.posture(state.durable)
    match words:
        case ["none" | "active" | "overdue" | "cutoff_pending" | "cut_off" | "ended" as phase]:
            return state.durable.trip.phase is Phase[phase.upper()]
        case ["armed"]:
            return world.car.immobilised and posture is Action.ARM_IMMOBILISER
        case ["released"]:
            return not world.car.immobilised and posture is Action.RELEASE_IMMOBILISER
        case ["locked" | "unlocked" as wanted]:
            return world.car.locked is (wanted == "locked")
        case ["parked"]:
            return vehicle.parked(state.vehicle, world.mono)
        case ["not", "parked"]:
            return not vehicle.parked(state.vehicle, world.mono)
        case ["flashed"]:
            return any(isinstance(e, Actuate) and e.action is Action.FLASH for e in world.effects[line.effects :])
        case ["nothing", "moved"]:
            return not any(isinstance(effect, Actuate) for effect in world.effects[line.effects :])
        case _:
            return None


def _phone(line: Line, words: list[str]) -> bool | None:
    """What phones see without asking for anything."""
    world = line.world
    pushes = world.pushes[line.pushes :]
    match words:
        case [name, "granted"]:
            return world.access(name).granted
        case [name, "denied", code]:
            refusal = world.access(name).refusal
            return refusal is not None and refusal.code is Code[code]
        case ["hung", "up", name]:
            return name in world.hung_up
        case [name, "connected"]:
            return name in world.links
        case [name, "told", kind]:
            return any(
                to == name and not isinstance(push.body, Access) and push.body.kind is NoticeKind[kind]
                for to, push in pushes
            )
        case [name, "told", kind, "left", left]:
            return any(
                to == name
                and not isinstance(push.body, Access)
                and (push.body.kind, push.body.left_ms) == (NoticeKind[kind], int(left))
                for to, push in pushes
            )
        case [name, "pushed", "granted"]:
            return any(to == name and isinstance(push.body, Access) and push.body.granted for to, push in pushes)
        case [name, "pushed", code]:
            return any(
                to == name
                and isinstance(push.body, Access)
                and push.body.refusal is not None
                and push.body.refusal.code is Code[code]
                for to, push in pushes
            )
        case ["nobody", "told"]:
            return not pushes
        case _:
            return None


def _answer(line: Line, words: list[str]) -> bool | None:
    """The last answer."""
    answer, refusal = line.answer, line.refusal
    body = None if answer is None else answer.body
    match words:
        case ["ok"]:
            return body is not None and not isinstance(body, Refusal)
        case ["no", "answer"]:
            return answer is None
        case ["already"]:
            return body == Done(already=True)
        case ["not", "already"]:
            return body == Done(already=False)
        case ["pending"]:
            return body == Accepted(pending=True)
        case ["not", "pending"]:
            return body == Accepted(pending=False)
        case ["warned", code]:
            return answer is not None and answer.code is Code[code] and not isinstance(body, Refusal)
        case ["no", "warning"]:
            return answer is not None and answer.code is Code.OK
        case ["refused", code]:
            return (
                isinstance(body, Refusal)
                and body.code is Code[code]
                and answer is not None
                and answer.code == body.code
            )
        case ["outcome", code]:
            return isinstance(body, Outcome) and body.code is Code[code]
        case ["may", "have", "succeeded"]:
            return isinstance(body, Refusal | Outcome) and body.may_have_succeeded
        case ["surely", "not"]:
            return isinstance(body, Refusal | Outcome) and not body.may_have_succeeded
        case ["temporary" | "final" as kind]:
            return refusal is not None and refusal.temporary is (kind == "temporary")
        case ["rule", rule]:
            return refusal is not None and refusal.rule == rule
        case ["says", *text]:
            return refusal is not None and " ".join(text) in refusal.remedy
        case ["receipt", kind]:
            receipt = None if answer is None else answer.receipt
            return receipt is not None and receipt.offline is (kind == "offline")
        case ["receipt", "position", kind]:
            receipt = None if answer is None else answer.receipt
            return receipt is not None and receipt.position_known is (kind == "known")
        case ["sees", "the", "car"]:
            return isinstance(body, Status) and body.vehicle is not None
        case ["sees", "no", "car"]:
            return isinstance(body, Status) and body.vehicle is None
        case ["may", names]:
            wanted = sum(Permission[name.upper()] for name in names.split("+")) if names != "nothing" else 0
            return isinstance(body, Status) and body.access.permissions == wanted
        case [name, ("=" | "<" | ">") as sign, value]:
            return _number(line, name, sign, None if value == "unknown" else int(value))
        case _:
            return None


def _number(line: Line, name: str, sign: str, value: int | None) -> bool:
    """A number of the last answer: a field of a body, or one of a refusal's numbers."""
    refusal = line.refusal
    body = None if line.answer is None else line.answer.body
    if isinstance(body, Status) and refusal is None:
        vehicle_has_it = body.vehicle is not None and hasattr(body.vehicle, name)
        number = getattr(body.vehicle if vehicle_has_it else body.access, name)
    else:
        number = refusal.number(name) if refusal is not None else getattr(body, name)
    if number is None or value is None:
        return number is value
    return bool({"=": number == value, "<": number < value, ">": number > value}[sign])


def _reports(line: Line, words: list[str]) -> bool | None:
    """What owner and backend are told."""
    world = line.world
    events, published = world.events[line.events :], world.published[line.published :]
    slot = world.state.durable.slot
    match words:
        case ["event", name]:
            return name in events
        case ["no", "event", name]:
            return name not in events
        case ["no", "events"]:
            return not events
        case ["just", number, "event" | "events"]:
            return len(events) == int(number)
        case ["position", "retained"]:
            return b"atitude" in world.retained
        case ["parking", "retained"]:
            return b'"parking":true' in world.retained
        case ["position", "withdrawn"]:
            in_step = slot.acknowledged is world.broker_up and not (world.broker_up and world.retained)
            return slot.point is None and in_step
        case ["position", "waits"]:
            return slot.point is not None and not slot.acknowledged
        case ["position", "unknown"]:
            return slot.point is None
        case ["position", "first"]:
            return bool(published) and published[0][1] is Channel.POSITION
        case ["no", "position", "published"]:
            return not any(b"atitude" in payload for _, _, payload in published)
        case ["track", "published"]:
            return any(channel is Channel.TRACK for _, channel, _ in published)
        case ["nothing", "published"]:
            return not published
        case ["result", name]:
            return any(
                channel is Channel.ORDER_RESULT and name.encode() in payload for _, channel, payload in published
            )
        case ["no", "result"]:
            return not any(channel is Channel.ORDER_RESULT for _, channel, _ in published)
        case ["state", "published"]:
            return any(channel is Channel.STATE for _, channel, _ in published)
        case ["retained", "says", text]:
            return text.encode() in world.retained
        case _:
            return None
