"""Mutated handshake messages: one exception type, and nobody gets in."""

import random

import pytest

from protocol import cbor, edhoc, keys, schedule
from tests.support import handshakes
from tests.support.credentials import key
from tests.support.handshakes import a_booking, initiator, responder, the_module


def mutate(data: bytes, chance: random.Random) -> bytes:
    found = bytearray(data)
    at = chance.randrange(len(found))
    match chance.randrange(4):
        case 0:
            found[at] ^= 1 << chance.randrange(8)
        case 1:
            del found[at : at + chance.choice((1, 2, 30))]
        case 2:
            found[at:at] = chance.randbytes(chance.choice((1, 2, 30)))
        case _:
            found[at:] = b""
    return bytes(found)


def refused(step: object, *arguments: object) -> bool:
    assert callable(step)
    try:
        step(*arguments)
    except edhoc.EdhocError:
        return True
    return False


@pytest.mark.req("SEC-1", "SEC-2")
def test_a_changed_first_message_is_refused_at_once_or_by_the_phone() -> None:
    chance = random.Random(1)
    answered = 0
    for _ in range(400):
        phone, module = initiator(), responder()
        first = phone.message_1()
        changed = mutate(first, chance)
        if changed == first or refused(module.message_1, changed):
            continue
        answered += 1
        other = responder()
        assert refused(phone.message_2, other.message_1(changed), the_module)
    assert answered > 20


@pytest.mark.req("SEC-1", "SEC-2")
def test_changed_second_third_and_fourth_messages_are_refused() -> None:
    chance = random.Random(2)
    _, _, (first, second, third, fourth) = handshakes.finished()
    for _ in range(200):
        phone, module = initiator(), responder()
        phone.message_1()
        module.message_1(first)
        assert refused(phone.message_2, mutate(second, chance), the_module)
        assert refused(module.message_3, mutate(third, chance), a_booking)
        phone = initiator()
        phone.message_1()
        phone.message_2(second, the_module)
        phone.message_3()
        assert refused(phone.message_4, mutate(fourth, chance))


def random_item(chance: random.Random, depth: int = 0) -> cbor.Value:
    match chance.randrange(6 if depth < 3 else 4):
        case 0:
            return chance.choice((0, 4, 13, 14, -1, 23, 24, -25, 2**32))
        case 1:
            return chance.randbytes(chance.choice((0, 1, 8, 16, 64)))
        case 2:
            return "text"
        case 3:
            return chance.choice((None, True, False))
        case 4:
            return [random_item(chance, depth + 1) for _ in range(chance.randrange(4))]
        case _:
            return {chance.choice((4, 13, 14, 33)): random_item(chance, depth + 1)}


@pytest.mark.req("SEC-1", "SEC-2")
def test_garbage_inside_a_well_encrypted_third_message_is_refused() -> None:
    """A malicious phone has the keys of its own handshake, so it can encrypt what it likes."""
    chance = random.Random(3)
    _, _, (first, second, third, _) = handshakes.finished()
    phone = initiator()
    phone.message_1()
    phone.message_2(second, the_module)
    genuine = phone._open(phone._prk_3e2m, 3, phone._th_3, third)
    for number in range(400):
        module = responder()
        module.message_1(first)
        if number % 2:
            plaintext = mutate(genuine, chance)
        else:
            plaintext = b"".join(cbor.encode(random_item(chance)) for _ in range(chance.randrange(4)))
        assert refused(module.message_3, phone._seal(phone._prk_3e2m, 3, phone._th_3, plaintext), a_booking)


@pytest.mark.req("SEC-1")
def test_garbage_inside_a_second_message_is_refused() -> None:
    chance = random.Random(4)
    g_y = keys.x_bytes(key("y").public_key())
    secret = schedule.shared_secret(key("y"), key("ephemeral, phone").public_key())
    for _ in range(400):
        phone = initiator()
        th_2 = schedule.digest(cbor.encode(g_y), cbor.encode(schedule.digest(phone.message_1())))
        plaintext = b"".join(cbor.encode(random_item(chance)) for _ in range(chance.randrange(5)))
        keystream = schedule.kdf(schedule.extract(th_2, secret), 0, th_2, len(plaintext))
        message = cbor.encode(g_y + schedule.xor(plaintext, keystream))
        assert refused(phone.message_2, message, the_module)
