"""Sentences of a GNSS receiver (NMEA 0183), with right checksums, and what gpsd makes of such."""

from functools import reduce
from operator import xor

HERE = "4807.0380,N,01131.0000,E"
PLACE = (48.1173, 11.516667)

TPV = (
    '{"class":"TPV","device":"/dev/ttyACM0","mode":3,"time":"2026-01-01T12:00:00.250Z","ept":0.005,'
    '"lat":48.117300000,"lon":-11.516667000,"alt":520.0,"speed":0.02}'
)
"""A report of gpsd."""


def sentence(content: str) -> bytes:
    """The checksum and the end are added."""
    return f"${content}*{reduce(xor, content.encode()):02X}\r\n".encode()


def rmc(time: str = "120000.00", status: str = "A", place: str = HERE, mode: str = ",A", date: str = "010126") -> bytes:
    """Place, time and date."""
    return sentence(f"GPRMC,{time},{status},{place},20.0,0.0,{date},,{mode}")


def gga(time: str = "120000.00", quality: str = "1", place: str = HERE, satellites: str = "08") -> bytes:
    """Place, time and what it rests on."""
    return sentence(f"GPGGA,{time},{place},{quality},{satellites},1.0,520.0,M,47.0,M,,")


def zda(time: str = "120000.00", date: str = "01,01,2026") -> bytes:
    """Time and date."""
    return sentence(f"GPZDA,{time},{date},00,00")
