"""The trainer: one detector for each heat-pump model, rebuilt from the whole community's data.

In: stream TELEMETRY, durable `trainer` (what is new); export of VictoriaMetrics (the data).
Out: signed, encrypted releases in the Object Store, pointers in KV RELEASES, reports in TRAINING.
Guarantee: a release is a function of the data and the plan, whatever the order of arrival; it
passed the gate before it was signed; a kill at any point leaves the last release in place.
Owns: RELEASES, MODELS and TRAINING, and the key that signs releases.
"""
