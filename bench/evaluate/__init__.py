"""How good the detectors are: one report folder with tables, plots and a page.

Run: `make evaluate`, or parts of it: `make evaluate PARTS="skab lbnl"`.
"""
