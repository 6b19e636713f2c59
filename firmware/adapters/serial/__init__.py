"""Serial lines: UARTs, and pseudo-terminals that the module makes itself. They carry text and phones' links."""

from firmware.adapters.serial.line import SerialLine
from firmware.adapters.serial.radio import SerialRadio
from firmware.adapters.serial.terminal import PseudoTerminal
from firmware.adapters.serial.uart import Uart
from firmware.adapters.serial.wire import LineUnavailable

__all__ = ["LineUnavailable", "PseudoTerminal", "SerialLine", "SerialRadio", "Uart"]
