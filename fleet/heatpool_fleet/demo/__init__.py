"""`make demo`: the main job end to end on this machine, with a report.

In: nothing but a free folder. Out: a running pool, twelve simulated homes, a released model, two
weeks scored, a report and a plot; exit status 0 if every check held. Guarantee: the same programs
as in production do the work (the servers, the four services, the client's command line); only
waiting times of the trainer are shortened, and the report says so.
"""
