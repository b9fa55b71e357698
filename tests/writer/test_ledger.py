"""The book of what is written and not acknowledged, against a model of the store."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from heatpool_contract.registry import Contribution
from heatpool_writer.ledger import AckLedger, Held

DURABLE_S = 15.0


class LedgerMachine(RuleBasedStateMachine):
    """A store that loses on restart what is younger than `DURABLE_S`, and a writer's book."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = AckLedger()
        self.now_s = 0.0
        self.life = 0
        self.seq = 0
        self.written: dict[str, float] = {}
        self.lost: set[str] = set()
        self.out: set[str] = set()

    @rule(count=st.integers(1, 4))
    def post(self, count: int) -> None:
        """The store takes messages."""
        held = []
        for _ in range(count):
            self.seq += 1
            held.append(_held(self.seq))
            self.written[held[-1].reply] = self.now_s
        self.ledger.add(self.now_s, str(self.life), held)

    @rule(seconds=st.floats(0, 20))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.now_s += seconds

    @rule()
    def restart(self) -> None:
        """The store dies and starts again; it has lost what was young."""
        self.life += 1
        self.lost |= {
            reply
            for reply, at_s in self.written.items()
            if self.now_s - at_s < DURABLE_S and reply not in self.out
        }

    @rule()
    def settle(self) -> None:
        """As the writer does it: take back first, then acknowledge."""
        back = {held.reply for held in self.ledger.lost(str(self.life))}
        ripe = {held.reply for held in self.ledger.durable(self.now_s, DURABLE_S)}

        assert not ripe & self.lost, "acknowledged what the store has lost"
        assert not (back | ripe) & self.out, "came out twice"
        assert all(self.now_s - self.written[reply] >= DURABLE_S for reply in ripe)
        self.out |= back | ripe

    @invariant()
    def counts_are_right(self) -> None:
        """What is not out is in."""
        assert self.ledger.messages == len(self.written) - len(self.out)
        assert self.ledger.samples == self.ledger.messages * 3

    def teardown(self) -> None:
        """Everything comes out."""
        assert {held.reply for held in self.ledger.all()} == set(self.written) - self.out
        assert self.ledger.messages == self.ledger.samples == 0


TestLedger = LedgerMachine.TestCase
TestLedger.settings = settings(max_examples=60, stateful_step_count=30)


def test_the_server_hears_of_what_is_kept_for_long_and_only_of_that() -> None:
    """Young entries need no keep-alive; old ones get it once an interval."""
    ledger = AckLedger()
    ledger.add(0.0, "a", [_held(1)])
    ledger.add(15.0, "a", [_held(2)])

    assert list(ledger.unattended(19.0, 20.0)) == []
    assert [held.reply for held in ledger.unattended(21.0, 20.0)] == ["1"]
    assert list(ledger.unattended(22.0, 20.0)) == []
    assert [held.reply for held in ledger.unattended(41.0, 20.0)] == ["1", "2"]


def _held(seq: int) -> Held:
    return Held(str(seq), "home", Contribution(seq, "m", "1", 0, 0, frozenset({0}), 3))
