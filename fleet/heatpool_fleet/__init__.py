"""Simulated homes with a physical heat pump: for the demo, for load, for evaluation.

In: a seed, a number of homes, a period, faults. Out: recordings (`simulation.simulate`), as arrays
or as the records a logger posts. Guarantee: a recording is a pure function of its arguments; one
home's recording does not depend on how many others are simulated with it.
"""
