"""The shop's Django app."""

from django.apps import AppConfig


class ShopConfig(AppConfig):
    """Tasks, a page, and no tables."""

    name = "example_project.shop"
    label = "shop"
