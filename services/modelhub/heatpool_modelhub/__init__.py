"""The hub: who contributes gets the key of a model, and everybody the same bytes of it.

In: KV `INSTALLATIONS` and `RELEASES` (watched), Object Store `MODELS`; requests of loggers.
Out: check answers with sealed content keys, release files, key registrations, figures of the pool.
Guarantee: only contributors get keys, sealed to themselves; a release is served whole and hashed or
not at all; unknown and inactive installations cannot be told apart; needs no VictoriaMetrics.
Owns: the fields `ed25519`, `x25519` and `registered_ms` of an entry in `INSTALLATIONS`; the online
timestamp key, which can make no model. Any number of hubs run beside each other.
"""
