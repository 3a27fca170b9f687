"""For Django's ``manage.py``."""
