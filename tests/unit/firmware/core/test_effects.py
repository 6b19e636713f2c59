"""Orders of the core to the shell."""

from firmware.core.effects import Effect
from firmware.core.events import Event


def test_no_effect_can_be_fed_back_as_an_event() -> None:
    assert not issubclass(Effect, Event)
    assert not issubclass(Event, Effect)
    assert not set(Effect.__subclasses__()) & set(Event.__subclasses__())


def test_effects_can_not_be_changed_and_say_what_they_mean() -> None:
    for kind in Effect.__subclasses__():
        assert kind.__struct_config__.frozen
        assert kind.__doc__
