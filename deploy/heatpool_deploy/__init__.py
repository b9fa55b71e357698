"""What an operator touches: `heatpoolctl`, the development stack, the pool's secrets.

In: an operator's commands. Out: provisioned servers, running processes, files of keys. Guarantee:
no secret has a default; every command can be repeated.
"""
