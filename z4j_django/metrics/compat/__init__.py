"""The names that other exporters give their metrics, with their labels and meanings."""
