"""A database's engine that is not one of Django's own."""
