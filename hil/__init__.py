"""A module on a table, driven through `host_tools` only: numbered tests, stands, a guest. Nothing knows `firmware`."""
