"""A GNSS receiver: NMEA 0183 on a serial line, or gpsd."""
