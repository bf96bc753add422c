"""A small town to make trouble in: a batch through `mixdown serve` while everything around it fails.

Used by `benchmarks/chaos.py` in full and by `tests/services/test_chaos.py` in little.
"""
