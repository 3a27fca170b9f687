"""Breaks everything around the recorder for a while, and holds the records to a ledger."""
