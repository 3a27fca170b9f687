"""The shop's one page."""

from django.urls import path

from example_project.shop import views

app_name = "shop"
urlpatterns = [
    path("", views.home, name="home"),
    path("send/", views.send, name="send"),
]
