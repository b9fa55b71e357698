"""What every service stands on: settings, logs, metrics, lifecycle, bus, store.

Adapters only: they raise the errors they name and hold no policy. Services import the chassis, the
chassis imports the contract, nothing else of heatpool.
"""
