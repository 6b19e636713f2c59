"""The contract between module, phone and backend: bytes <-> values.

No I/O, no clock and no randomness of its own. The normative text is SPEC.md beside this file.
"""
