"""Both sides in one process, for tests: a module on virtual time and the host's tools beside it."""
