"""Where a message can be sent to: one module for each kind, and the registry of them."""
