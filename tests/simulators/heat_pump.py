"""pymodbus' simulated device, loaded with a map of the client."""

from __future__ import annotations

import asyncio
import struct
import threading
from typing import TYPE_CHECKING

from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from heatpool_deploy.free_ports import free_port

if TYPE_CHECKING:
    from heatpool_client.sources.mapping import Register, RegisterMap

REGISTER_MAPS = (
    "ecodan_procon",
    "idm_navigator_2_0",
    "panasonic_intesis",
    "stiebel_eltron_wpm",
)


def words_of(register: Register, value: float, order: str) -> list[int]:
    """A value as a heat pump would put it."""
    formats = {"int16": ">h", "uint16": ">H", "int32": ">i", "uint32": ">I", "float32": ">f"}
    number = value if register.type == "float32" else int(value)
    packed = struct.pack(formats[register.type], number)
    found = [int.from_bytes(packed[i : i + 2], "big") for i in range(0, len(packed), 2)]
    return found[::-1] if order == "little" else found


class HeatPump:
    """pymodbus' simulated device, loaded with a map: the middle of every range."""

    def __init__(self, found: RegisterMap) -> None:
        """Values of all registers."""
        self.map = found
        self.port = free_port()
        self.expected = {one.field: float(int((one.low + one.high) / 2)) for one in found.registers}
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        """Listen."""
        self._thread.start()
        assert self._ready.wait(10)

    def stop(self) -> None:
        """Be gone."""
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._end = asyncio.Event()
        words = {
            one.address + i: word
            for one in self.map.registers
            for i, word in enumerate(
                words_of(one, round(self.expected[one.field] / one.scale), self.map.word_order)
            )
        }
        data = [
            SimData(address, values=word, datatype=DataType.REGISTERS)
            for address, word in sorted(words.items())
        ]
        device = SimDevice(self.map.unit_id, simdata=data)
        server = ModbusTcpServer(device, address=("127.0.0.1", self.port))
        await server.listen()
        self._ready.set()
        await self._end.wait()
        await server.shutdown()  # type: ignore[no-untyped-call]  # pymodbus leaves it out
