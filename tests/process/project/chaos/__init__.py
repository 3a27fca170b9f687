"""The project as the chaos harness runs it: tasks and publishers that keep a ledger."""
