"""What travels between the parts of heatpool, and nothing else: bytes <-> values.

| module | fixes |
|---|---|
| `identity` | installation ids, their pseudonyms, slugs of heat-pump models |
| `telemetry` | a logger's submission: wire form and limits |
| `frames` | what the edge puts on the bus and the writer takes off it |
| `subjects` | names of streams, subjects, durables, buckets and headers |
| `refusals` | every refusal: stable code, HTTP status, English and German text |
| `answers` | every HTTP answer |
| `registry` | what the pool knows of an installation |
| `detector`, `scoring` | the payload of a release and what it means |
| `dsse`, `sealed`, `trust`, `grants`, `fresh` | the sealed model: container, trust, content keys |

Compatibility. Services restart in any order, so: add fields only with defaults; never change the
meaning or the unit of a field (a new name instead); decoders ignore unknown fields in telemetry and
on the bus, and forbid them in signed manifests; consumers deploy before producers; every file in
`tests/vectors` must decode for ever.
"""
