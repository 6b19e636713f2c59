"""A module on a table, driven through `host_tools` only: numbered tests, stands, images. Nothing here knows `firmware`."""
