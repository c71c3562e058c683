"""Scores, embeddings and summaries of data matrices in JAX.

Importing this package imports nothing else, so that the adapters in it stay cheap; the
functions are in `my_backend.functions`.
"""
