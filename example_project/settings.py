"""Settings of the example shop.

What may differ from place to place comes from the environment: ``DATABASE_URL``,
``CELERY_BROKER_URL``, ``DEMO_DIR`` (default ``.demo``), ``SECRET_KEY``, ``DEBUG``.
"""

import os
from pathlib import Path

from example_project import environment

BASE_DIR = Path(__file__).resolve().parent.parent
RUN_DIR = environment.run_dir(BASE_DIR)

SECRET_KEY = os.environ.get("SECRET_KEY", "for development on this machine only")
DEBUG = os.environ.get("DEBUG", "1") == "1"
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]

INSTALLED_APPS = [
    "z4j_django",
    "example_project.shop",
    "django_celery_results",
    "django_celery_beat",
    "rest_framework",
    "rest_framework.authtoken",
    "drf_spectacular_sidecar",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

ROOT_URLCONF = "example_project.urls"
WSGI_APPLICATION = "example_project.wsgi.application"
ASGI_APPLICATION = "example_project.asgi.application"
STATIC_URL = "static/"

DATABASES = {"default": environment.database(os.environ.get("DATABASE_URL"), BASE_DIR)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TIME_ZONE = "UTC"
USE_TZ = True

LOGIN_URL = "admin:login"

# The API leaves it to the project who somebody is: a token for programs, the admin's session for
# people and for the API's page. With the token first, who has neither is answered 401, not 403.
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
}

# Receipts stay on this machine: one file per message.
EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = RUN_DIR / "mail"

# Where the tasks keep their own account of what ran.
LEDGER_DIR = RUN_DIR / "ledger"

# Celery.
CELERY_APP = "example_project.celery:app"
_broker = environment.broker(os.environ.get("CELERY_BROKER_URL"), BASE_DIR)
CELERY_BROKER_URL = _broker["broker_url"]
CELERY_BROKER_TRANSPORT = _broker["broker_transport"]
CELERY_BROKER_TRANSPORT_OPTIONS = _broker["broker_transport_options"]
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_POOL_PUTLOCKS = _broker["worker_pool_putlocks"]
CELERY_TASK_DEFAULT_QUEUE = environment.queue()
CELERY_RESULT_BACKEND = "django-db"
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_TIMEZONE = TIME_ZONE

# The records. Nothing has to be said; these are the defaults:
#   "ENABLED": None       record, except under a test runner
#   "PROJECT": "default"  this project's name, where several share a database
#   "JOURNAL_DIR": None   a folder private to the user and the project
#   "SHIPPER": "process"  or "thread", or "external" for `manage.py z4j_ship`
#   "DATABASE": None      the alias of another database for the records
#   "TIMELINE": True      keep every event of a task beside its record
Z4J: dict[str, object] = {}
