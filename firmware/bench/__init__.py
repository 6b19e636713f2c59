"""The bench: what an engineer may see and do to a module on a stand, in one grammar for every way in."""
