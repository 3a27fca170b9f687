"""Telling people and machines what is wrong, and that it is over."""
