"""A guest with a Linux kernel of its own: Bluetooth, CAN, GPIO and a watchdog where the machine has none of them.

User Mode Linux runs as an ordinary program, without KVM and without root. Its root is the machine's own, read-only, so
that the project's environment runs inside as it is. On its virtual clock waiting costs nothing.

Parts: cache (what is kept), packages (apt), kernel (built once), bluez (unpacked, not installed), boot (one run),
`python -m hil.guest` (the commands); for what runs inside: vhci (a controller of the virtual radio as an adapter of the
kernel), system_bus (bluetoothd), agent (pairing).
"""
