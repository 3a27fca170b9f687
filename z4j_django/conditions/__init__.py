"""What is wrong now: one small module per condition, one registry, one way to evaluate them."""
