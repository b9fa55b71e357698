"""What days, hard rules and wear have to say, in the units and words of the owner.

In: verdicts of these channels. Out: sentences in English or German. Guaranteed: the numbers are
those of the detector, rounded only here, for print; a release's text is never run, its gaps are
filled by plain replacement.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from heatpool_contract.explanation import PERCENT, rounded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from heatpool_contract.explanation import Circumstance, Contribution
    from heatpool_contract.verdict import Degrading, Raised
    from heatpool_contract.watches import CycleFeature

Language = Literal["en", "de"]
HOUR_MS = 3_600_000.0


def day_sentence(
    part: Contribution,
    feature: CycleFeature,
    circumstances: Sequence[Circumstance] = (),
    language: Language = "en",
) -> str:
    """`3.10 compressor starts an hour, usual 0.20 to 0.80 at a mean outdoor temperature 2.0 °C`."""
    german = language == "de"
    text = feature.text_de if german else feature.text_en
    gaps = {"{own}": part.own, "{low}": part.usual_low, "{high}": part.usual_high}
    for gap, value in gaps.items():
        text = text.replace(gap, rounded(value, german))
    given = _values(circumstances, german)
    return f"{text} ({'bei' if german else 'at'} {given})" if given else text


def rule_sentence(raised: Raised, now_ms: int, language: Language = "en") -> str:
    """`The fan stands still while the compressor runs, for 0.50 h (Fan speed 0.00 rpm)`."""
    german = language == "de"
    text = raised.text_de if german else raised.text_en
    hours = (now_ms - raised.since_ms + raised.lasted_ms) / HOUR_MS
    given = _values(raised.values, german)
    lasted = f"{'seit' if german else 'for'} {rounded(hours, german)} h"
    return f"{text}, {lasted} ({given})" if given else f"{text}, {lasted}"


def wear_sentence(found: Degrading, language: Language = "en") -> str:
    """`COP (heating): 1.20 % lower every week for 30 days, confidence 99.9 %`, or in German."""
    german, trend = language == "de", found.trend
    rising = trend.slope_per_day > 0.0
    size = abs(trend.per_week)
    unit = "K" if found.unit == "°C" else found.unit
    amount = (
        f"{rounded(size * PERCENT, german)} %"
        if found.relative
        else (f"{rounded(size, german)} {unit}".rstrip())
    )
    sure = min(trend.confidence * PERCENT, 99.9)
    days = round(trend.days)
    if german:
        way = "mehr" if rising else "weniger"
        return (
            f"{found.label_de} ({found.mode_de}): jede Woche {amount} {way} als erwartet, "
            f"seit {days} Tagen (Sicherheit {rounded(sure, german)} %)"
        )
    way = "more" if rising else "less"
    return (
        f"{found.label_en} ({found.mode_en}): {amount} {way} than expected with every week, "
        f"for {days} days (confidence {rounded(sure, german)} %)"
    )


def _values(circumstances: Sequence[Circumstance], german: bool) -> str:  # noqa: FBT001 - two languages, one flag
    return ", ".join(
        " ".join(
            (one.label_de if german else one.label_en, rounded(one.value, german), one.unit)
        ).rstrip()
        for one in circumstances
    )
