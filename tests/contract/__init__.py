"""The API against its own schema: schemathesis asks a live server whatever the schema allows."""
