"""Readings that wait: kept, frozen into batches, bounded, and never a crash."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulators.faketime import FakeTime

from heatpool_client.faults import ClientError, Fault
from heatpool_client.spool import Spool
from heatpool_client.submission import BODY_BYTES_MAX, Sender
from heatpool_client.waiting import Bounds, Reason
from heatpool_contract.identity import InstallationId

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SENDER = Sender(InstallationId("5f0c1c1e-8f8e-4f0a-9d5e-0123456789ab"), "AERO SLM", "1.0")
REASON = Reason(status=400, code="bad", detail="Bad.", detail_de="Schlecht.", at_s=1)


@pytest.fixture
def spool(tmp_path: Path, fake_time: FakeTime) -> Iterator[Spool]:
    """An empty spool."""
    opened = Spool(tmp_path / "spool.db", Bounds(), fake_time.clock())
    yield opened
    opened.close()


def records(start: int, count: int, padding: int = 0) -> list[tuple[int, bytes]]:
    """Records whose time and value are their number."""
    return [
        (i * 1000, msgspec.json.encode({"timestamp": float(i), "a": i, "b" * (padding + 1): 1}))
        for i in range(start, start + count)
    ]


def numbers(batch_records: tuple[bytes, ...]) -> list[int]:
    """The numbers of records."""
    return [int(msgspec.json.decode(one)["a"]) for one in batch_records]


def drain(spool: Spool, order: str = "oldest", records_max: int = 10) -> list[list[int]]:
    """Take everything out, batch by batch."""
    taken = []
    while batch := spool.due(SENDER, records_max, "oldest" if order == "oldest" else "newest"):
        taken.append(numbers(batch.records))
        spool.done(batch, {"sent": len(batch.records)})
    return taken


def test_records_come_out_once_in_the_order_of_time(spool: Spool) -> None:
    """Oldest first, or newest first; each batch is in order."""
    spool.append(records(0, 25))
    assert drain(spool) == [list(range(10)), list(range(10, 20)), list(range(20, 25))]
    spool.append(records(0, 25))
    assert drain(spool, "newest") == [list(range(15, 25)), list(range(5, 15)), list(range(5))]
    waiting = spool.waiting()
    assert (waiting.records, waiting.bytes, waiting.counts["sent"]) == (0, 0, 50)


def test_a_batch_stays_the_same_until_it_is_stored(
    spool: Spool, tmp_path: Path, fake_time: FakeTime
) -> None:
    """Also with new records, another version of the logger and another process."""
    spool.append(records(0, 5))
    first = spool.due(SENDER, 10)
    spool.append(records(5, 5))
    other = Spool(tmp_path / "spool.db", Bounds(), fake_time.clock())
    newer = msgspec.structs.replace(SENDER, version="2.0")
    again = other.due(newer, 20, "newest")
    other.close()
    assert first is not None
    assert again == msgspec.structs.replace(first, attempts=1)


def test_a_preview_changes_nothing(spool: Spool) -> None:
    """What would be sent next, without freezing it."""
    spool.append(records(0, 5))
    seen = spool.preview(SENDER, 3)
    spool.append(records(5, 1))
    batch = spool.due(SENDER, 10)
    assert seen is not None
    assert batch is not None
    assert (numbers(seen.records), len(batch.records), batch.attempts) == ([0, 1, 2], 6, 0)


def test_a_request_stays_below_ten_megabytes(spool: Spool) -> None:
    """Whatever the number of records that it might have."""
    spool.append(records(0, 3, padding=4_000_000))
    batches = []
    while batch := spool.due(SENDER, 20_000):
        batches.append(sum(map(len, batch.records)))
        spool.done(batch, {})
    assert len(batches) == 2
    assert max(batches) < BODY_BYTES_MAX


def test_a_request_has_no_more_fields_than_the_edge_takes(spool: Spool) -> None:
    """512 different names; each record is within its own limit."""
    spool.append(
        (i, msgspec.json.encode({"timestamp": 0.0, **{f"f{i}_{j}": j for j in range(100)}}))
        for i in range(6)
    )
    first, second = spool.due(SENDER, 100), None
    assert first is not None
    spool.done(first, {})
    second = spool.due(SENDER, 100)
    assert second is not None
    assert (len(first.records), len(second.records)) == (5, 1)


def test_a_split_batch_is_two_frozen_halves(spool: Spool) -> None:
    """After 413; one record alone stays one."""
    spool.append(records(0, 5))
    batch = spool.due(SENDER, 10)
    assert batch is not None
    spool.split(batch)
    spool.append(records(5, 1))
    assert drain(spool) == [[0, 1, 2], [3, 4], [5]]


def test_what_the_pool_refuses_is_set_aside_with_its_reason(spool: Spool) -> None:
    """It is shown, it does not block the others, and it can be tried again."""
    spool.append(records(0, 15))
    batch = spool.due(SENDER, 10)
    assert batch is not None
    spool.refuse(batch, REASON)
    assert drain(spool) == [[10, 11, 12, 13, 14]]
    waiting = spool.waiting()
    assert [(one.records, one.reason) for one in waiting.set_aside] == [(10, REASON)]
    assert waiting.counts["refused.bad"] == 10
    assert spool.retry() == 1
    assert drain(spool) == [list(range(10))]


def test_the_oldest_go_when_there_is_no_room(tmp_path: Path, fake_time: FakeTime) -> None:
    """They are counted; what is kept stays within the bound."""
    spool = Spool(tmp_path / "s", Bounds(bytes_max=20_000), fake_time.clock())
    for start in range(0, 2000, 10):
        spool.append(records(start, 10))
    waiting = spool.waiting()
    left = [number for batch in drain(spool, records_max=5000) for number in batch]
    spool.close()
    assert 10_000 < waiting.bytes <= 20_000
    assert left == list(range(2000 - waiting.records, 2000))
    assert waiting.counts["dropped_size"] == 2000 - waiting.records


def test_a_frozen_batch_goes_as_a_whole(tmp_path: Path, fake_time: FakeTime) -> None:
    """Without its oldest records it would be another request than the one that was sent."""
    spool = Spool(tmp_path / "s", Bounds(bytes_max=10_000), fake_time.clock())
    spool.append(records(0, 50))
    batch = spool.due(SENDER, 50)
    spool.append(records(50, 100))
    after = spool.due(SENDER, 50)
    spool.close()
    assert batch is not None
    assert after is not None
    assert not set(numbers(batch.records)) & set(numbers(after.records))


def test_what_is_too_old_goes(tmp_path: Path, fake_time: FakeTime) -> None:
    """By the time of the reading; frozen batches when their newest record is."""
    spool = Spool(tmp_path / "s", Bounds(age_s_max=100.0), fake_time.clock())
    now = int(fake_time.now_s)
    spool.append(records(now - 150, 100))
    spool.due(SENDER, 10)
    assert spool.drop_old() == 50
    fake_time.sleep(200)
    assert spool.drop_old() == 50
    assert (spool.waiting().records, spool.waiting().counts["dropped_age"]) == (0, 100)
    spool.close()


def test_emptying_leaves_nothing_on_the_disk(spool: Spool, tmp_path: Path) -> None:
    """Withdrawn readings are overwritten, also in the log beside the file."""
    spool.append([(1, b'{"timestamp":1.0,"needle_in_hay":1}')])
    spool.append(records(0, 500))
    assert spool.empty() == 501
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"needle_in_hay" not in kept
    assert spool.waiting().counts == {"withdrawn": 501}


@pytest.mark.parametrize("content", [b"", b"no database" * 400, b"SQLite format 3\0" + b"\xff" * 9])
def test_a_file_that_is_none_is_set_aside(
    tmp_path: Path, fake_time: FakeTime, content: bytes
) -> None:
    """The logger goes on with a new one, and the old one can be looked at."""
    path = tmp_path / "spool.db"
    path.write_bytes(content)
    spool = Spool(path, Bounds(), fake_time.clock())
    spool.append(records(0, 3))
    assert spool.waiting().counts.get("spool_damaged", 0) == bool(content)
    assert len(list(tmp_path.glob("*.damaged-*"))) >= bool(content)
    assert drain(spool) == [[0, 1, 2]]
    spool.close()


@settings(max_examples=60, deadline=None)
@given(places=st.lists(st.integers(0, 10**6), min_size=1, max_size=40), value=st.integers(0, 255))
def test_a_decayed_memory_card_loses_only_what_cannot_be_read(
    tmp_path_factory: pytest.TempPathFactory, places: list[int], value: int
) -> None:
    """Random bytes of the file change: it opens, gives back only true records, and takes new."""
    folder = tmp_path_factory.mktemp("decay")
    path = folder / "spool.db"
    time = FakeTime()
    spool = Spool(path, Bounds(), time.clock())
    spool.append(records(0, 400))
    spool.due(SENDER, 100)
    spool.close()
    raw = bytearray(path.read_bytes())
    for place in places:
        raw[place % len(raw)] = value
    path.write_bytes(raw)
    path.with_name("spool.db-wal").unlink(missing_ok=True)
    spool = Spool(path, Bounds(), time.clock())
    with suppress(ClientError):
        spool.append(records(1000, 5))
    spool.append(records(2000, 5))
    assert 5 <= spool.waiting().records <= 410
    left: list[bytes] = []
    said = 0
    while True:
        try:
            batch = spool.due(SENDER, 1000)
            if batch is None:
                break
            left += batch.records
            spool.done(batch, {})
        except ClientError:  # what had decayed unseen is found now; from then on it is a new file
            said += 1
            assert said <= 3
    assert set(left) >= {record for _, record in records(2000, 5)}
    assert all(msgspec.json.decode(record) for record in left)
    spool.close()
    shutil.rmtree(folder)


def test_a_read_only_folder_is_said_and_nothing_else(tmp_path: Path, fake_time: FakeTime) -> None:
    """`spool_unusable`, with the system's reason."""
    with pytest.raises(ClientError) as caught:
        Spool(tmp_path / "missing" / "spool.db", Bounds(), fake_time.clock())
    assert caught.value.code is Fault.SPOOL_UNUSABLE


def test_a_file_of_a_newer_program_is_left_alone(tmp_path: Path, fake_time: FakeTime) -> None:
    """Going back to an older version must not destroy what waits."""
    path = tmp_path / "spool.db"
    database = sqlite3.connect(path)
    database.execute("PRAGMA user_version=9")
    database.execute("CREATE TABLE totals (name, value)")
    database.execute("INSERT INTO totals VALUES ('schema', 9)")
    database.commit()
    database.close()
    with pytest.raises(ClientError, match="schema 9"):
        Spool(path, Bounds(), fake_time.clock())
    assert list(tmp_path.glob("*damaged*")) == []


def test_a_file_that_somebody_deletes_is_made_again(spool: Spool, tmp_path: Path) -> None:
    """The next record is kept in a new one."""
    spool.append(records(0, 3))
    (tmp_path / "spool.db").unlink()
    spool.append(records(3, 1))
    assert drain(spool) == [[3]]


def test_a_file_that_breaks_while_it_is_open_is_restarted(spool: Spool, tmp_path: Path) -> None:
    """Whatever is lost, the next records are kept."""
    spool.append(records(0, 500))
    (tmp_path / "spool.db").write_bytes(b"\xa5" * 8192)
    (tmp_path / "spool.db-wal").write_bytes(b"\xa5" * 100)
    for number in range(1000, 1003):
        with suppress(ClientError):
            spool.append(records(number, 1))
    spool.close()
    spool.append(records(2000, 1))
    found = [one for batch in drain(spool, records_max=2000) for one in batch]
    assert found[-1] == 2000
