"""What a power cut must not do to owners and keys, written from the promises: the old owner or the new one and nothing
in between, a try that was counted stays counted, and what was revoked, or half of it, stays so (OWN-4, KEY-4, KEY-6).
An emergency call goes on until it is answered, and services that were deactivated stay so (SVC-4, SVC-8).
"""

from firmware.core import ledger, module
from firmware.core.events import Trouble
from firmware.core.state import Durable
from protocol import msd
from tests.powercut.deeds import ANN, BEN, FACTORY
from tests.powercut.images import Image
from tests.powercut.judge import Booted, Judge
from tests.support.core import CODED_KEY, EPOCH, GUEST_KEY

ANNS_HOME = (1, 2)


class Notary(Judge):
    """Judges what becomes of owners and keys too."""

    def further(self, image: Image, found: Booted, lost: int) -> None:
        """See `Judge.further`."""
        acknowledged = self.history.durable[max(0, image.mark - lost)]
        # Without any state the module is new: the profile says that nobody owns the car.
        known = found.durable or Durable(FACTORY.floor_ms, FACTORY.key_epoch, forgetful=True)
        wrong = broken(acknowledged, known, found.loaded.trouble)
        if wrong:
            self.fail(image, wrong)


def broken(acknowledged: Durable, found: Durable, trouble: Trouble | None) -> str:
    """What was promised and not kept, once `found` has been booted; empty: nothing. `acknowledged`: what was durable
    for certain before."""
    state, _ = module.boot(found, FACTORY, 0, trouble)
    now = state.durable
    if now.takeover is not None:
        return "a takeover goes on after the power cut"
    owned = now.ownership
    if now.forgetful:
        return "a module that has forgotten its owner is anybody's" if owned.coupled and not owned.number else ""
    if owned.number < acknowledged.ownership.number:
        return f"an older owner is back: order {owned.number}"
    return _between(now, whole=trouble is None) or _of_keys(acknowledged, now) or _of_services(acknowledged, now)


def _between(now: Durable, *, whole: bool) -> str:
    """`whole`: the state was not lost, so whoever owns the car has everything."""
    owned = now.ownership
    left = (now.keys, now.deletions, now.drivers, now.devices, now.executed, now.trip.booking, owned.home)
    number = None if now.subscription is None else now.subscription.number
    if not owned.coupled:
        clean = now.key_epoch == EPOCH + 1 and not any(left) and number is None
        return "" if clean else "something is left of an owner who gave the car up"
    if owned.owner == BEN.owner:
        clean = now.key_epoch == EPOCH + 1 and not any(left) and number == BEN.subscription and now.erased_before > 0
        return "" if clean else "the new owner has something of the old one's"
    all_hers = (
        now.key_epoch == EPOCH and number == ANN.subscription and owned.home == ANNS_HOME and now.erased_before == 0
    )
    if not all_hers or owned.owner != ANN.owner or (whole and not now.drivers):
        return "the old owner lacks something"
    return ""


def _of_services(acknowledged: Durable, now: Durable) -> str:
    before, after = (0 if each.services is None else each.services.number for each in (acknowledged, now))
    if after < before:
        return "deactivated services are back"
    if now.calls < acknowledged.calls:
        return "the number of a call will be given twice"
    call, told = acknowledged.call, now.counters.event > acknowledged.counters.event + 1
    if call is None:
        return "a call that was answered is made again" if now.call and now.calls == acknowledged.calls else ""
    if now.call is None:
        return "" if told else "nobody calls any more, and nobody has answered"
    # One more may have left than was written down, so what comes after the boot skips a number.
    higher = now.call.message > min(call.message, msd.MOST_MESSAGES - 1)
    return "" if higher else "a message has the number of an older one"


def _of_keys(acknowledged: Durable, now: Durable) -> str:
    if now.ownership.number != acknowledged.ownership.number:
        return ""
    for known in acknowledged.keys:
        here = next((each for each in now.keys if each.key.token_id == known.key.token_id), None)
        if ledger.dead_key(now, known.key) is not None:
            continue
        if here is None:
            return f"the key {known.key.name} is not remembered"
        if not here.activated and here.tries < known.tries:
            return f"of {known.tries} tries {here.tries} are counted"
        if not here.activated and now.code_step < acknowledged.code_step:
            return "the pause between codes has shrunk"
    for each in acknowledged.deletions:
        halves = [half for half in now.deletions if (half.token_id, half.policy) == (each.token_id, each.policy)]
        gone = any(dead.token_id == each.token_id for dead in now.dead_keys)
        if not gone and not any(half.unlocked >= each.unlocked for half in halves):
            return "a deletion is undone"
    for key in (GUEST_KEY, CODED_KEY):
        if ledger.dead_key(acknowledged, key) is not None and ledger.dead_key(now, key) is None:
            return f"the key {key.name} is alive again"
    return ""
