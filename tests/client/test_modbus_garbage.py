"""A thing on the network that is no heat pump, or a broken one: said, not crashed on."""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heatpool_client.faults import ClientError, Fault
from heatpool_client.sources import modbus
from heatpool_client.sources.mapping import RegisterMap, load, reading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def framed(pdu: bytes, unit: int | None = None) -> Callable[[bytes], bytes]:
    """This answer, in the frame that belongs to the question."""
    return lambda asked: (
        asked[:4] + struct.pack(">H", len(pdu) + 1) + bytes([unit or asked[6]]) + pdu
    )


@contextmanager
def answering(answer: Callable[[bytes], bytes | None]) -> Iterator[int]:
    """A server that says this to whatever it is asked; None: hangs up."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(one: socket.socket) -> None:
        with one:
            while asked := one.recv(1024):
                said = answer(asked)
                if said is None:
                    return
                one.sendall(said)

    def accept() -> None:
        while True:
            try:
                one, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=_quietly, args=[serve, one], daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (lambda _: b"HTTP/1.1 400 Bad Request\r\n\r\n", Fault.SOURCE_UNREACHABLE),
        (lambda _: b"", Fault.SOURCE_UNREACHABLE),
        (lambda _: None, Fault.SOURCE_UNREACHABLE),
        (framed(b""), Fault.SOURCE_UNREACHABLE),
        (framed(b"\x55\x01\x02"), Fault.SOURCE_UNREACHABLE),
        (framed(b"\x83"), Fault.SOURCE_UNREACHABLE),
        (framed(b"\x03\x02\x00\x01", unit=9), Fault.SOURCE_UNREACHABLE),
        (framed(b"\x83\x06"), None),
    ],
    ids=["HTTP", "silent", "hangs up", "empty", "no function", "cut off", "another's", "busy"],
)
def test_what_is_no_heat_pump_is_said(
    answer: Callable[[bytes], bytes | None], code: Fault | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`source_unreachable` after two blocks without an answer; "busy" is an answer of its own."""
    monkeypatch.setattr(modbus, "TIMEOUT_S", 0.1)
    found = load("panasonic_intesis", None, RegisterMap)
    assert isinstance(found, RegisterMap)
    asked: list[bytes] = []

    def noted(question: bytes) -> bytes | None:
        asked.append(question)
        return answer(question)

    with answering(noted) as port:
        source = modbus.ModbusSource(found, "127.0.0.1", port)
        if code is None:
            assert reading(source.read()) == {}
        else:
            with pytest.raises(ClientError) as caught:
                source.read()
            assert caught.value.code is code
            assert len(asked) <= modbus.FAILURES_MAX * 2  # each is tried once more
        source.close()


@given(pdu=st.binary(max_size=40))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_answer_is_an_unknown_error(pdu: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is in the frame: a reading within its ranges, or `source_unreachable`."""
    monkeypatch.setattr(modbus, "TIMEOUT_S", 0.05)
    found = load("panasonic_intesis", None, RegisterMap)
    assert isinstance(found, RegisterMap)
    with answering(framed(pdu)) as port:
        source = modbus.ModbusSource(found, "127.0.0.1", port)
        try:
            seen = source.read()
        except ClientError:
            seen = []
        kept = reading(seen)
        assert all(one.low <= kept[one.field] <= one.high for one in seen if one.field in kept)
        source.close()


def _quietly(serve: Callable[[socket.socket], None], one: socket.socket) -> None:
    try:
        serve(one)
    except OSError:
        return  # the other side had enough
