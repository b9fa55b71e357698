"""The writer: from the stream into VictoriaMetrics, once for every reader.

In: stream TELEMETRY, durable `writer`.
Out: import lines to VictoriaMetrics, entries of KV INSTALLATIONS, dead letters.
Guarantee: acknowledged only after the samples survive a kill of the store; what a crash repeats is
invisible (dedup in the store, sequences in the registry); nothing leaves uncounted.
Owns: the bucket INSTALLATIONS (with the hub, which adds keys by compare-and-set).
"""
