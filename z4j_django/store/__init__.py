"""The write side: events in, rows out. The only writer of a task's state."""
