"""Relays and wires on the computer's own pins, by libgpiod."""
