"""The project as a site with the API: users, sessions, tokens."""
