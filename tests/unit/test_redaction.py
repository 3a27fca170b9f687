from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from z4j_django.secrets import masking, redaction
from z4j_django.secrets.redaction import MASK, Budget, redact, redact_args, redact_text

SECRET_NAMES = [
    "password", "PASSWORD", "db_password", "dbPassword", "passwd", "user-passwd", "passphrase",
    "pwd", "db_pass", "secret", "stripe_secret_key", "clientSecret", "token", "csrf_token",
    "CSRFToken", "csrfmiddlewaretoken", "refreshToken", "api_key", "apikey", "X-API-Key", "APIKey",
    "private_key", "privateKey", "aws_access_key_id", "otp", "otpCode", "totp", "csrf",
    "authorization", "Proxy-Authorization", "http_auth", "cookie", "Set-Cookie", "session",
    "session_id", "sessionid", "JSESSIONID", "credential", "awsCredentials", "card_number",
    "cardNumber", "creditcard", "cvv", "cvv2", "card_cvc", "cvcCode", "pin", "PIN", "pin_code",
    "userPin", "userPIN", "iban", "ibanNumber", "customer_iban", "ssn", "license_key",
    "recovery_codes", "security_code", "mfa_code", "2faCode", "one_time_code", "seed_phrase", "pw",
    "fernet_key", "stripe_key", "encryptKey", "webhook-key", "password_reset", "token_id",
]  # fmt: skip
INNOCENT_NAMES = [
    "author", "authors", "authority", "authored_by", "monkey", "keyboard", "key", "primary_key",
    "public_key", "cache_key", "idempotency_key", "sort-key", "shipping", "shippingAddress",
    "pinned", "spin", "opinion", "compass", "bypass", "passenger", "pass_count", "tokenizer",
    "tokenize", "secretary", "session_count", "obsession", "urban", "hotpink", "laptop", "card",
    "card_id", "discard", "signature", "auth_user_id", "user_id", "email", "order", "accession",
    "", "naïve", "7", "token_count", "tokenCount", "token_type", "max_tokens", "prompt_tokens",
    "total_tokens", "tokens_used", "tokens_per_minute", "password_length", "password_changed_at",
    "access_token_expires_in", "cookie_age", "session_expiry", "secret_type", "option", "options",
    "postcode", "error_code", "zip_code", "code", "country_code", "encoding", "pinCount", "pew",
    "hotkey", "foreign_key", "key_count", "hash_key", "routing_key", "stopped", "captcha_required",
]  # fmt: skip
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIBOgIBAAJB+/a=\nPROCTYPE-x\n-----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_value_under_a_secret_name_is_masked(name: str) -> None:
    assert redact({name: "hunter2"}) == {name: MASK}


@pytest.mark.parametrize("name", INNOCENT_NAMES)
def test_a_value_under_an_innocent_name_is_kept(name: str) -> None:
    assert redact({name: "hunter2"}) == {name: "hunter2"}


@pytest.mark.parametrize("value", [17, 2.5, "x", ["a", "b"], {"user": "u"}])
def test_a_secret_of_any_kind_is_masked_whole(value: object) -> None:
    assert redact({"credentials": value}) == {"credentials": MASK}


@pytest.mark.parametrize("value", [None, True, False, ""])
def test_the_absence_of_a_secret_stays_visible(value: object) -> None:
    assert redact({"password": value}) == {"password": value}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("card 4111 1111 1111 1111 ok", f"card {MASK} ok"),
        ("4111-1111-1111-1111", MASK),
        ("5555555555554444,", f"{MASK},"),
        ("amex 3782 822463 10005.", f"amex {MASK}."),
        ("4222222222222", MASK),
        ("4111 1111 1111 1111 123", f"{MASK} 123"),
        ("2235 4111 1111 1111 1111", f"2235 {MASK}"),
        (f"jwt {JWT}!", f"jwt eyJ{MASK}!"),
        (f"a\n{PEM}\nb", f"a\n-----BEGIN RSA PRIVATE KEY-----{MASK}\nb"),
        (PEM[:60], f"-----BEGIN RSA PRIVATE KEY-----{MASK}"),
        ("postgres://shop:p@ss@db:5432/x", f"postgres://shop:{MASK}@db:5432/x"),
        ("redis://:hunter2@cache/0", f"redis://:{MASK}@cache/0"),
        ("https://a.example/?access_token=abc&page=2", f"https://a.example/?access_token={MASK}&page=2"),
        ("sk_live_4eC39HqLyjWDarjtT1", f"sk_live_{MASK}"),
        ("charge tok_chargeDeclined now", f"charge tok_{MASK} now"),
        ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", f"ghp_{MASK}"),
        ("xoxb-2444333222-abcdef", f"xoxb-{MASK}"),
        ("AKIAIOSFODNN7EXAMPLE", f"AKIA{MASK}"),
        ("sent Bearer abc.def-123 to it", f"sent Bearer {MASK} to it"),
        ("sent Basic dXNlcjpwYXNz to it", f"sent Basic {MASK} to it"),
        ("Authorization: Basic dXNlcjpwYXNz\nHost: x", f"Authorization: {MASK}\nHost: x"),
        ("Cookie: a=b; sessionid=c", f"Cookie: {MASK}"),
        ("{'password': 'hunter 2', 'n': 1}", f"{{'password': '{MASK}', 'n': 1}}"),
        ('{"api_key": "it\\"s", "n": 1}', f'{{"api_key": "{MASK}", "n": 1}}'),
        (r'"{\"token\": \"abc\", \"n\": 1}"', rf'"{{\"token\": {MASK}, \"n\": 1}}"'),
        ("DB_PASSWORD=hunter2 PORT=1", f"DB_PASSWORD={MASK} PORT=1"),
        ("login(password=SecretStr('x'), n=1)", f"login(password={MASK}, n=1)"),
        ("tokens=[['a', 'b'], 'c'] n=1", f"tokens={MASK} n=1"),
        ("    token: str = 'abc'", f"    token: {MASK}"),
        ("secret key: abc", f"secret key: {MASK}"),
        ("passphrase: correct horse", f"passphrase: {MASK}"),
        ("password=None token=''", "password=None token=''"),
        ("DE89 3704 0044 0532 0130 00 PAID", f"{MASK} PAID"),
        ("GB82WEST12345698765432", MASK),
        ("mysql --password hunter2 -v", f"mysql --password {MASK} -v"),
        ("['mysql', '--password', 'hunter2']", f"['mysql', '--password', '{MASK}']"),
        ("<a><password>hunter2</password></a>", f"<a><password>{MASK}</password></a>"),
        ('<w:Token x="1">abc</w:Token>', f'<w:Token x="1">{MASK}</w:Token>'),
        ("xapp-1-A111-222-abc", f"xapp-{MASK}"),
        ("glrt-t1_aBcDeFgHiJ", f"glrt-{MASK}"),
        ("GOCSPX-aBcDeFgHiJkLmN", f"GOCSPX-{MASK}"),
        ("hvs.CAESIJ1aBcDeFgHiJkLmNoPq", f"hvs.{MASK}"),
        ("dckr_pat_aBcDeFgH1234", f"dckr_pat_{MASK}"),
        ("dapi0123456789abcdef0123456789abcdef", f"dapi{MASK}"),
        ("key-0123456789abcdef0123456789abcdef", f"key-{MASK}"),
        ("SK0123456789abcdef0123456789abcdef", f"SK{MASK}"),
        ("bot 123456789:AAE-aBcDeFgHiJkLmNoPqRsTuVwXyZ012345", f"bot 123456789:AA{MASK}"),
        ("sk-ant-api03-aBcDeFgHiJkLmNoPqRsTu", f"sk-{MASK}"),
        ("AGE-SECRET-KEY-1QPZRY9X8GF2TVDW0S3JN", f"AGE-SECRET-KEY-{MASK}"),
        (
            "https://s3.example/o?X-Amz-Date=1&X-Amz-Signature=0123456789abcdef01&n=1",
            f"https://s3.example/o?X-Amz-Date=1&X-Amz-Signature={MASK}&n=1",
        ),
        ("https://b.example/o?sv=2&sig=aBcD%2FeFgHiJkLmN%3D", f"https://b.example/o?sv=2&sig={MASK}"),
    ],
)  # fmt: skip
def test_a_secret_is_masked_where_it_stands(text: str, shown: str) -> None:
    assert redact(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "1700000000000",
        "at 20240102030405",
        "0.4111111111111111",
        "4111 1111 1111 1112",
        "550e8400-e29b-41d4-a716-446655440000",
        "2024-01-02T03:04:05Z",
        "http://localhost:8000/a@b",
        "basic authentication is on.",
        "keyJsonSerializerForEveryOrder",
        "if token == expected",
        "ann@example.com paid 99.50 EUR",
        "C:\\secretary\\x",
        "author: Ann, shipping: DHL",
        "max_tokens=4096 prompt_tokens: 17",
        "run --verbose now -- or --password --verbose",
        "<b>token</b> <p>text</p>",
        "key-value store, SKU 17, sig=9, option=3",
        "https://a.example/?signature=of+the+painter",
    ],
)
def test_ordinary_text_is_kept(text: str) -> None:
    assert redact(text) == text


def test_an_integer_that_is_a_card_number_is_masked() -> None:
    assert redact([4111111111111111, 4111111111111112, 1700000000000]) == [
        MASK,
        4111111111111112,
        1700000000000,
    ]


def test_a_secret_in_a_key_is_masked() -> None:
    assert redact({"sk_live_4eC39HqLyjWDarjtT1": 1}) == {f"sk_live_{MASK}": 1}


def test_positional_arguments_are_redacted_by_their_parameters_names() -> None:
    assert redact_args([7, "hunter2", {"otp": 1}, "x"], ["user_id", "password"]) == [
        7,
        MASK,
        {"otp": MASK},
        "x",
    ]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (["mysql", "--password", "hunter2", "-v"], ["mysql", "--password", MASK, "-v"]),
        (["curl", "--token", None, "x"], ["curl", "--token", None, "x"]),
        ([["Accept", "json"], ["X-API-Key", "abc"]], [["Accept", "json"], ["X-API-Key", MASK]]),
        (["password", "login", "logout"], ["password", "login", "logout"]),
        (["a token of love", "x"], ["a token of love", "x"]),
        ({"name": "DB_PASSWORD", "value": "hunter2"}, {"name": "DB_PASSWORD", "value": MASK}),
        ({"value": 7, "key": "otp"}, {"value": MASK, "key": "otp"}),
        ({"name": "DB_HOST", "value": "db"}, {"name": "DB_HOST", "value": "db"}),
        ({"name": ["password"], "value": "x"}, {"name": ["password"], "value": "x"}),
    ],
)
def test_a_secret_is_known_by_the_name_beside_it(value: object, shown: object) -> None:
    assert redact(value) == shown


def test_positional_arguments_share_one_budget() -> None:
    shown = redact_args(["a", "b", "c", "d"], [], budget=Budget(nodes=2))
    assert shown == ["a", "b", "… (2 more)"]


def test_what_a_database_or_json_cannot_hold_is_replaced() -> None:
    value = {"a\x00b": "c\x00\ud800d", "n": [float("nan"), float("inf"), float("-inf"), 1.5]}
    assert redact(value) == {
        "a\ufffdb": "c\ufffd\ufffdd",
        "n": ["<NaN>", "<Infinity>", "<-Infinity>", 1.5],
    }


def test_integers_past_64_bits_become_strings() -> None:
    assert redact([2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 10**5000]) == [
        2**63 - 1,
        "9223372036854775808",
        -(2**63),
        "-9223372036854775809",
        "… (an integer of 16,610 bits)",
    ]


def test_an_object_that_is_no_plain_data_is_shown_by_its_type_without_running_its_code() -> None:
    class Order:
        def __repr__(self) -> str:
            raise AssertionError

        __str__ = __eq__ = __hash__ = __repr__  # type: ignore[assignment]

    assert redact({"order": Order(), "password": Order(), "raw": b"x"}) == {
        "order": "<Order>",
        "password": MASK,
        "raw": "<bytes>",
    }


def test_a_key_that_is_no_string_is_shown_as_one() -> None:
    assert redact({1: "a", None: "b", 2.5: "c"}) == {"1": "a", "None": "b", "2.5": "c"}
    assert redact({b"password": "a", b"n": "b"}) == {"password": MASK, "n": "b"}


def test_a_long_string_is_cut_with_a_note_of_its_length() -> None:
    shown = redact("x" * 2 * 1024 * 1024, budget=Budget(string=10))
    assert shown == "x" * 10 + "… (2,097,152 characters)"


def test_a_long_string_leaves_room_for_its_neighbours() -> None:
    shown = redact({"image": "x" * 2 * 1024 * 1024, "order": "A-17"})
    assert isinstance(shown, dict)
    assert shown["order"] == "A-17"


def test_text_is_bounded_in_bytes_and_no_character_is_halved() -> None:
    assert redact("ééé", budget=Budget(string=5)) == "éé… (3 characters)"


def test_the_text_of_all_values_together_is_bounded() -> None:
    shown = redact(["x" * 4000] * 1000)
    assert isinstance(shown, list)
    assert shown[-1] == "… (995 more)"
    assert len(json.dumps(shown)) < 17_000


def test_the_number_of_values_is_bounded() -> None:
    assert redact({"a": list(range(10)), "b": 1}, budget=Budget(nodes=5)) == {
        "a": [0, 1, 2, "… (7 more)"],
        "…": "… (1 more)",
    }


def test_the_depth_is_bounded() -> None:
    value: object = []
    for _ in range(500):
        value = [value]
    assert redact(value, budget=Budget(depth=2)) == [["… (nested too deeply)"]]


def test_a_secret_across_the_cut_is_masked() -> None:
    budget = Budget(string=12)
    assert (
        redact("card: 4111111111111111 " + "x" * 9000, budget=budget)
        == "card: ••… (9,023 characters)"
    )


def test_a_text_that_shrinks_by_masking_does_not_show_half_a_secret_at_its_edge() -> None:
    card = "4111 1111 1111 1111 "
    long = PEM.replace("x", "x" * 4000) + card * 1000
    assert "4111" not in str(redact(long))
    assert "4111" not in redact_text(long, 4096)


def test_a_short_traceback_is_masked_in_place() -> None:
    assert redact_text("File 'a.py'\npassword='x'\nKeyError", 100) == (
        f"File 'a.py'\npassword='{MASK}'\nKeyError"
    )


def test_a_long_traceback_keeps_its_head_and_more_of_its_tail() -> None:
    shown = redact_text("head " + "x" * 100_000 + " password=hunter2 tail", 1000)
    assert len(shown) == 1000
    assert shown.startswith("head xxx")
    assert shown.endswith(f"xxx password={MASK} tail")
    assert "\n… (100,027 characters, the middle left out) …\n" in shown
    assert shown.index("…") < 300


def test_a_pem_block_cut_at_its_beginning_is_masked() -> None:
    text = "x" * 50_000 + PEM.replace("x", "SECRET\n" * 3000) + "\nend"
    shown = redact_text(text, 1000)
    assert "SECRET" not in shown
    assert shown.endswith("left out) …\nend")


@pytest.mark.parametrize("limit", [0, 1, 20, 60, 200])
def test_a_cut_text_is_never_longer_than_its_limit(limit: int) -> None:
    for length in (limit, limit + 1, limit + 5000, 50_000):
        assert len(redact_text("x" * length, limit)) <= limit
        assert len(redact_text("pin=1 " * (length // 6), limit)) <= limit


@pytest.mark.parametrize(
    "unit",
    ["password=", "password", "eyJ-", "4111 ", "4", "-----BEGIN A-----", "://a:", "api ", "AB12 ",
     "password='", "token=(", "bearer ", "-", "--", "--a ", "<", "<a ",
     "<password>", "</", "--password ", "\\", "a: ", "\x00", "é"],
)  # fmt: skip
def test_a_hostile_megabyte_is_read_in_a_bounded_part(
    unit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    mask_text = masking.mask_text

    def counting(text: str, rules: masking.Rules) -> str:
        read.append(len(text))
        return mask_text(text, rules)

    monkeypatch.setattr(masking, "mask_text", counting)
    hostile = unit * (1024 * 1024 // len(unit))
    shown = redact([hostile] * 2000)
    assert isinstance(shown, list)
    assert len("".join(shown)) < 17 * 1024
    assert len(redact_text(hostile, 16 * 1024)) <= 16 * 1024
    # One margin for each string that is cut, and two windows for the long text.
    assert sum(read) < 8 * 1024 * 20


def test_names_are_remembered_in_a_bounded_number() -> None:
    assert redaction._read_short_key.cache_info().maxsize == 4096
    assert masking.is_secret_name.cache_info().maxsize == 4096


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
def test_any_json_gives_storable_json(value: object) -> None:
    text = json.dumps(redact(value), allow_nan=False, ensure_ascii=False)
    assert "\x00" not in text
    text.encode()


@given(st.text(), st.integers(0, 300))
def test_any_text_gives_storable_text_within_the_limit(text: str, limit: int) -> None:
    shown = redact_text(text, limit)
    assert len(shown) <= limit
    shown.encode()
