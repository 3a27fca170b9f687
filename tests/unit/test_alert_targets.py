"""What a message is sent to, and what not, however it is written."""

from __future__ import annotations

import pytest

from z4j_django.alerts import targets

PRIVATE = [
    "127.0.0.1",
    "127.8.9.1",
    "10.0.0.5",
    "172.16.3.4",
    "192.168.1.1",
    "100.64.0.1",
    "198.18.0.1",
    "203.0.113.5",
    "::1",
    "fc00::1",
    "fd12:3456::1",
    "fec0::1",
    "::ffff:10.0.0.5",
    "::ffff:7f00:1",
    "::127.0.0.1",
    "2002:7f00:1::",
    "64:ff9b::7f00:1",
    "64:ff9b:1::808:808",
    "2001:db8::1",
]
NEVER = [
    "0.0.0.0",
    "169.254.169.254",
    "169.254.170.2",
    "168.63.129.16",
    "100.100.100.200",
    "192.0.0.192",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "fe80::1",
    "fe80::1%eth0",
    "ff02::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "::ffff:169.254.169.254",
    "::a9fe:a9fe",
    "2002:a9fe:a9fe::",
    "64:ff9b::a9fe:a9fe",
    # Teredo, whose client's address is in its last bits, inverted.
    "2001:0:4136:e378:8000:63bf:5601:5601",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_wants_the_setting(address: str) -> None:
    assert "private" in targets.refusal(address, allows_private=False)


@pytest.mark.parametrize("address", [*PRIVATE[:6], "::1", "fc00::1", "::ffff:10.0.0.5"])
def test_with_the_setting_it_may_be(address: str) -> None:
    assert targets.refusal(address, allows_private=True) == ""


@pytest.mark.parametrize("address", NEVER)
@pytest.mark.parametrize("allows_private", [False, True])
def test_what_a_cloud_tells_its_machines_is_for_no_setting(
    address: str, allows_private: bool
) -> None:
    assert "No message" in targets.refusal(address, allows_private)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_a_public_address_is_fine(address: str) -> None:
    assert targets.refusal(address, allows_private=False) == ""


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "ftp://example.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "https://",
        "https:///path",
        "https://user:sentinel@example.com/",
        "https://sentinel@example.com/",
        "https://example.com:99999/sentinel",
        "https://example.com:x/sentinel",
        "https://example.com:0/sentinel",
        "https://example.com:5432/sentinel",
        "https://example.com:6379/sentinel",
        "https://example.com:25/sentinel",
        "https://[::1/sentinel",
        "https://example.com/a b",
        "https://example.com/a\r\nHost: sentinel",
        "https://exämple.com/sentinel",
        "https://example.com\\@sentinel/",
        "https://example.com/" + "x" * 2_000,
    ],
)
def test_what_is_no_url_of_a_web_server_is_said_without_it(url: str) -> None:
    wrong = targets.wrong_url(url)
    assert wrong
    assert "sentinel" not in wrong


def test_a_url_leads_to_a_host_a_port_and_a_path() -> None:
    found = targets.target("https://hooks.example/services/T0?x=1#y")
    assert (found.host, found.port, found.path) == ("hooks.example", 443, "/services/T0?x=1")
    found = targets.target("http://[2606:4700::1111]:8080")
    assert (found.host, found.port, found.path) == ("2606:4700::1111", 8080, "/")
    assert found.authority == "[2606:4700::1111]:8080"
