"""What is secret: how it looks, what is shown in its place, and how the whole is kept sealed."""
