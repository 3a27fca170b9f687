"""The example project as a site runs it: without DEBUG, and with connections that last."""

from example_project.settings import *  # noqa: F403
from example_project.settings import DATABASES

DEBUG = False
DATABASES["default"]["CONN_MAX_AGE"] = 600
