"""Benchmarks: plain scripts that print tables, and assert nothing about time."""
