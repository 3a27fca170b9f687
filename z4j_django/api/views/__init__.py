"""One module per noun; each lists its routes in ``urlpatterns``."""
