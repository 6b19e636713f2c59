"""Durable memory: `SqliteStore` on a disk, `MemoryStore` in a simulation."""

from firmware.adapters.store.memory import MemoryStore
from firmware.adapters.store.sqlite import SqliteStore

__all__ = ["MemoryStore", "SqliteStore"]
