"""The example project as the shop of :mod:`tools.shop.day` has it in production."""

from example_project.settings import *  # noqa: F403
from example_project.settings import MIDDLEWARE, RUN_DIR
from tools.shop.day import AFTER, PROJECT

Z4J = {
    "PROJECT": PROJECT,
    "ENVIRONMENT": "production",
    "RELEASE": AFTER,
    "SHIPPER": "external",
    "JOURNAL_DIR": str(RUN_DIR / "journal"),
}
#: A page is in the language that the browser asks for.
MIDDLEWARE = [*MIDDLEWARE, "django.middleware.locale.LocaleMiddleware"]
