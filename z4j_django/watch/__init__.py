"""Looks after a project: evaluates its conditions and samples its queues, in one process of all."""
