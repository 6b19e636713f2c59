"""A module on a table, driven through `host_tools` only: rig, numbered tests, images. Nothing here knows `firmware`."""
