"""Scores and summaries of data matrices on a Dask cluster.

Importing this package imports nothing else, so that the adapter in it stays cheap; the
functions are in `example_host_dask.functions`.
"""
