"""A virtual BLE radio: devices in one process (or several, see `hub`) that find and talk to each other.

It runs on the event loop's clock, so on a `VirtualTimeLoop` an hour of radio takes no time and every run is the
same. Controllers are Bumble's with real behaviour added; hosts are Bumble devices, or anything that speaks HCI.
`bleak` code runs over it unmodified:

    from bleak import BleakClient, BleakScanner
    from host_tools.radio.air import VirtualAir
    from host_tools.radio.bleak_backend import install
    from host_tools.radio.devices import virtual_central, virtual_device
    from host_tools.virtual_time import run

    async def main() -> None:
        air = VirtualAir(latency_s=0.015)
        thing = await virtual_device(air, "thing")          # a bumble.device.Device: add services to it
        await thing.start_advertising()
        undo = install(await virtual_central(air))
        async with BleakClient((await BleakScanner.discover(1.0))[0]) as client:
            print(client.mtu_size, [service.uuid for service in client.services])
        undo()

    run(main())

Faults are methods of the air: `power_cut`, `restore`, `out_of_range`, `in_range`, `drop`.

Parts: air (who hears whom), controller, link_commands, connection, advertising (the controllers), devices (hosts),
hub (over TCP), bleak_backend with bleak_central, bleak_scanner, bleak_client (bleak), errors.
"""
