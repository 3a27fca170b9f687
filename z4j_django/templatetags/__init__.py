"""For templates of the admin."""
