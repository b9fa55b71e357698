"""Modbus TCP: a heat pump's registers by its map.

In: a host, a `RegisterMap`. Out: what was seen of each value. Guarantee: only reads; a block that
the device refuses costs its values, not the others; no answer is an error of its own. Needs
`heatpool-client[modbus]`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from heatpool_client.faults import ClientError, Fault
from heatpool_client.sources.mapping import Block, RegisterMap, Seen, blocks, decode, judge

if TYPE_CHECKING:
    from pymodbus.client import ModbusTcpClient

TIMEOUT_S: Final = 5.0
FAILURES_MAX: Final = 2  # blocks without an answer, 20 s: a dead device must not stop the logger
PORT: Final = 502


class ModbusSource:
    """One heat pump."""

    def __init__(self, registers: RegisterMap, host: str, port: int = PORT) -> None:
        """Connect nothing yet.

        Raises:
            ClientError: `extra_missing`.
        """
        try:
            from pymodbus.client import ModbusTcpClient  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise ClientError(Fault.EXTRA_MISSING, "modbus") from error
        self._map = registers
        self._where = f"{host}:{port}"
        self._blocks = tuple(blocks(registers.registers))
        self._client: ModbusTcpClient = ModbusTcpClient(
            host, port=port, timeout=TIMEOUT_S, retries=1
        )

    def read(self) -> list[Seen]:
        """Read all registers once.

        Raises:
            ClientError: `source_unreachable`.
        """
        from pymodbus.exceptions import ModbusException  # noqa: PLC0415 - an extra

        if not self._client.connected and not self._connect():
            raise ClientError(Fault.SOURCE_UNREACHABLE, self._where, "no connection")
        words: dict[int, int] = {}
        failures: list[ModbusException | OSError] = []
        for block in self._blocks:
            try:
                words |= self._block(block)
            except (ModbusException, OSError) as error:
                failures.append(error)
                self.close()
                if len(failures) == FAILURES_MAX or not self._connect():
                    break
        if not words and failures:
            raise ClientError(Fault.SOURCE_UNREACHABLE, self._where, failures[0]) from failures[0]
        return [judge(one, decode(one, words, self._map.word_order)) for one in self._map.registers]

    def close(self) -> None:
        """Close the socket."""
        self._client.close()  # type: ignore[no-untyped-call]  # pymodbus leaves it out

    def _connect(self) -> bool:
        return bool(self._client.connect())  # type: ignore[no-untyped-call]  # as above

    def _block(self, block: Block) -> dict[int, int]:
        ask = (
            self._client.read_input_registers
            if self._map.function == "input"
            else self._client.read_holding_registers
        )
        answer = ask(block.address, count=block.count, device_id=self._map.unit_id)
        if answer.isError() or len(answer.registers) != block.count:
            return {}  # refused by the device: its values stay unread
        return dict(enumerate(answer.registers, start=block.address))
