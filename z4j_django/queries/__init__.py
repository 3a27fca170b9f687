"""The read side: one module per noun. Every query here is bounded."""
