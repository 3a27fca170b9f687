"""Real workers, brokers and databases for tests, each of them with nothing shared."""
