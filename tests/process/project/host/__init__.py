"""A project whose own API has the words of ours, and a schema that drf-spectacular makes."""
