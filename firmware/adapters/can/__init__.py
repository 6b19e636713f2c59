"""The car's CAN bus: heard, never spoken to."""
