"""The shop's command line."""
