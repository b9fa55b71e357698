"""The edge: validates, pseudonymises, frames and publishes; answers only what is stored.

In: `POST /api/v1/submit` of loggers.
Out: messages on `telemetry.<model>.<installation>`.
Guarantee: 200 only after the whole request is in the stream, all or nothing; a repeat is stored
once; bad records are left out, counted and named; the UUID goes no further than this process.
Owns: nothing. Any number of edges run beside each other.
"""
