"""What the API shows of each noun, field by field, with its help text."""
