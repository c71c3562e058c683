"""Adapters: one module for each library that this package can serve."""
