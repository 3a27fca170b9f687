"""The shop: its tasks, its page, and the demo that runs them."""
