"""Secrets that are known by the name they stand under, in every form that a text may have."""

from __future__ import annotations

import time

import pytest

from z4j_django.secrets.masking import MASK, mask_text
from z4j_django.secrets.redaction import redact

DIGEST = 'Digest username="Mufasa", realm="a, b", response="abc"'
OAUTH = "OAuth oauth_consumer_key=\"abc\", oauth_signature='a b'"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        # headers to the end of their line, quotes or not
        (f"Authorization: {DIGEST}\nHost: x", f"Authorization: {MASK}\nHost: x"),
        (f"Authorization: {OAUTH}\r\nHost: x", f"Authorization: {MASK}\r\nHost: x"),
        ('Set-Cookie: sid="a;b"; Path=/; Secure', f"Set-Cookie: {MASK}"),
        ("Cookie: a=1; b='x y'; c=3\nHost: x", f"Cookie: {MASK}\nHost: x"),
        (
            f"curl -H '{'Authorization: ' + DIGEST}' https://x",
            f"curl -H 'Authorization: {MASK}' https://x",
        ),
        ("{'Authorization': '" + DIGEST + "', 'n': 1}", f"{{'Authorization': '{MASK}', 'n': 1}}"),
        (
            r'{"m": "Authorization: Digest u=\"a\", r=\"b\"", "n": 1}',
            f'{{"m": "Authorization: {MASK}", "n": 1}}',
        ),
        # pairs
        (
            "[('Authorization', 'Token abc'), ('A', 'b')]",
            f"[('Authorization', '{MASK}'), ('A', 'b')]",
        ),
        ("[(b'cookie', b'a=b'), (b'a', b'b')]", f"[(b'cookie', {MASK}), (b'a', b'b')]"),
        ('[["X-Api-Key", "abc"], ["A", "b"]]', f'[["X-Api-Key", "{MASK}"], ["A", "b"]]'),
        (
            '{"Name": "DB_PASSWORD", "Value": "abc"}',
            f'{{"Name": "DB_PASSWORD", "Value": "{MASK}"}}',
        ),
        (
            "{'header':'X-Auth-Token','value':'abc','n':1}",
            f"{{'header':'X-Auth-Token','value':'{MASK}','n':1}}",
        ),
        ('{"k": "otp", "v": 123456}', f'{{"k": "otp", "v": {MASK}}}'),
        (
            '{"value": "a, \\"b", "name": "DB_PASSWORD"}, {"value": "c", "name": "A"}',
            f'{{"value": "{MASK}", "name": "DB_PASSWORD"}}, {{"value": "c", "name": "A"}}',
        ),
        ("{'v': b'abc',\n 'k': 'otp'}", f"{{'v': {MASK},\n 'k': 'otp'}}"),
        (
            "- name: DB_PASSWORD\n  value: abc\n- name: A\n  value: b",
            f"- name: DB_PASSWORD\n  value: {MASK}\n- name: A\n  value: b",
        ),
        ('<add key="SmtpPassword" value="abc"/>', f'<add key="SmtpPassword" value="{MASK}"/>'),
        # XML
        ("<password><![CDATA[a<b]]></password><a>b</a>", f"<password>{MASK}</password><a>b</a>"),
        # values with signs
        ("password=ab;cd,ef user=x", f"password={MASK} user=x"),
        ("Server=db;Password=a;b,c;Database=y", f"Server=db;Password={MASK};Database=y"),
        ("password=a)b]c}d e", f"password={MASK} e"),
        ("password=a(b)c[d]e f", f"password={MASK} f"),
        ("pin=(a)pw='b c'", f"pin={MASK}pw='{MASK}'"),
        ("login(password=abc, n=1)", f"login(password={MASK}, n=1)"),
        ("login(password=abc,n=1)", f"login(password={MASK},n=1)"),
        ("{pin:1234,'n':1}", f"{{pin:{MASK},'n':1}}"),
        # forms and addresses
        ("user[password]=abc&user[name]=x", f"user[password]={MASK}&user[name]=x"),
        ("user%5Bpassword%5D=abc&n=1", f"user%5Bpassword%5D={MASK}&n=1"),
        ("a%5Bpin%5D=1234&n=1", f"a%5Bpin%5D={MASK}&n=1"),
        ("session['token'] = 'abc'", f"session['token'] = '{MASK}'"),
        ("password" + " " * 40 + "= abc", "password" + " " * 40 + f"= {MASK}"),
        (
            'a\r\nContent-Disposition: form-data; name="password"\r\n\r\nabc d\r\n--b',
            f'a\r\nContent-Disposition: form-data; name="password"\r\n\r\n{MASK}\r\n--b',
        ),
        ("TOKENİ=abc n=1", f"TOKENİ={MASK} n=1"),
        (
            'form-data; name=api_key\r\n\r\nabc d\r\n--b',
            f'form-data; name=api_key\r\n\r\n{MASK}\r\n--b',
        ),
        ("next=/a%3Fpassword%3Dabc", f"next=/a%3Fpassword%3D{MASK}"),
        ("password%3Dabc", f"password%3D{MASK}"),
        # blocks
        ("password: |2-\n    abc\nn: 1", f"password: {MASK}\nn: 1"),
        ("password: >-2  # of the database\n    abc\nn: 1", f"password: {MASK}\nn: 1"),
        ("a:\n  password:\n    abc\n    def\n  n: 1", f"a:\n  password:{MASK}\n  n: 1"),
        ("- password:\n    abc\n- n: 1", f"- password:{MASK}\n- n: 1"),
        ("a:\n  password: |\n    abc\n\n    def\n  n: 1", f"a:\n  password: {MASK}\n  n: 1"),
        ("secret: >-\n  abc\n  def", f"secret: {MASK}"),
        ("tokens:\n  - abc\n  - def\nn: 1", f"tokens:{MASK}\nn: 1"),
        ("- tokens:\n  - abc\n- n: 1", f"- tokens:{MASK}\n- n: 1"),
        ('password = """\nabc "d"\n"""\nn = 1', f'password = "{MASK}"\nn = 1'),
        ("password = '''abc\nd'''\nn = 1", f"password = '{MASK}'\nn = 1"),
        # bytes and dataclasses, as a repr shows them
        ("{b'password': b'abc', b'n': 1}", f"{{b'password': {MASK}, b'n': 1}}"),
        (
            "Login(user='a', password=Secret(b'a, b'), pin=7)",
            f"Login(user='a', password={MASK}, pin={MASK})",
        ),
    ],
    ids=lambda value: value[:30],
)  # fmt: skip
def test_a_value_is_masked_in_every_form_that_a_text_has(text: str, shown: str) -> None:
    assert mask_text(text) == shown


@pytest.mark.parametrize(
    "name",
    [
        "auth_header", "creds", "db_creds", "privkey", "dbpass", "keypass", "PHPSESSID",
        "Ocp-Apim-Subscription-Key", "authentication", "security_answer", "cc_number", "ccNumber",
    ],
)  # fmt: skip
def test_a_value_under_a_secret_name_is_masked_in_data_and_in_texts(name: str) -> None:
    assert redact({name: "hunter2"}) == {name: MASK}
    assert mask_text(f"{name}=hunter2 n=1") == f"{name}={MASK} n=1"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ({"Name": "DB_PASSWORD", "Value": "abc"}, {"Name": "DB_PASSWORD", "Value": MASK}),
        ({"VALUE": 7, "HEADER": "Cookie"}, {"VALUE": MASK, "HEADER": "Cookie"}),
        ({"field": "pin", "value": None}, {"field": "pin", "value": None}),
        ({"k": "otp", "v": "123456", "n": 1}, {"k": "otp", "v": MASK, "n": 1}),
        ({"k": "color", "v": "red"}, {"k": "color", "v": "red"}),
    ],
)
def test_a_pair_is_known_whatever_its_two_keys_are_called(value: object, shown: object) -> None:
    assert redact(value) == shown


@pytest.mark.parametrize(
    "text",
    [
        "for key in keys: print(key)",
        "if not session:\n    raise Refused",
        "tokens, secrets, and what they are",
        "the code [x] and (pin), see page 7",
        "accredited, recredential, incredible: no",
        "authentication_backends=3 compass=7 bypass=1",
        'GET /orders?code=7&key=a "200"',
        "password, login or token: ",
        "('password', 'login', 'logout')",
        '{"name": "color", "value": "red"}',
        "- name: A\n  value: b",
        "ssh://git@host/x https://shop-user@host/x https://x/@7/y",
        "ops_send_weekly_report_to_all_customers, re_send_order_confirmation_emails",
        "API-Internationalization pat.orders.views.customers",
    ],
)
def test_what_only_looks_like_a_secret_is_kept(text: str) -> None:
    assert mask_text(text) == text


@pytest.mark.parametrize(
    "unit",
    [
        "pass", "password", "pass=", "key ", "token=(", "pin:", "tokens:\n- ", "secret: |\n ",
        'k="key" v=', "name: token\n", "('token', '", "<token><![CDATA[", "<token>]", "Cookie: ='",
        "Cookie: \\", "password=,", "password=a,b", "pin=)", 'pin="""', "pin='''\\", "eyJ", "sk-",
        "-----BEGIN ", "://a1", "hooks.slack.com/services/", "?sig=", "0:AA", "9Q~", "_mmk", "-us",
        '; form-data; name="pin"\n', "%5B", "card n", "secret a", "a1b2", "4111 ", "DE89 ", " ",
        "SK0", "\n", "curl -u ", "0|", "'v': \"", '"v":"a","k":"pin",',
        "pin:\n a\n", "pin:\n ", "pin%3D",
    ],
)  # fmt: skip
def test_no_text_takes_long(unit: str) -> None:
    """Ten times the text takes ten times the time; what grows with its square takes a hundred."""

    def seconds(length: int) -> float:
        text = unit * (length // len(unit))
        begin = time.process_time()
        mask_text(text)
        return time.process_time() - begin

    assert seconds(50_000) < max(30 * seconds(5_000), 0.5)
