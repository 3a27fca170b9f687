"""The address, to be included: ``path("metrics", include("z4j_django.metrics.urls"))``."""

from django.urls import path

from z4j_django.metrics import views

app_name = "z4j_metrics"

urlpatterns = [path("", views.scrape, name="metrics")]
