"""What a secret looks like: by the name it stands under; its own form is for ``tokens.py``.

Pure. No pattern holds a repetition within an unbounded repetition, and none starts twice in one
run of characters, so each is linear in the text. Callers bound the text.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from z4j_django.secrets import tokens

MASK: Final = tokens.MASK

#: A longer name is judged by its end.
NAME_LENGTH: Final = 200

_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

#: Searched in a name in snake case. ``(?<![a-z])`` and ``(?![a-z])`` fence off whole words.
_SECRET_NAME: Final = re.compile(
    r"passw|passphrase|pass_phrase|passcode|passkey|(?<![a-z])pwd|(?<![a-z])pass$"
    r"|(?:db|key|user|root|admin|mysql|smtp|ftp|ldap|store)pass(?![a-z])"
    r"|secret(?!ar)|token(?!i[sz])|credential|(?<![a-z])creds?(?![a-z])|csrf|xsrf|cookie|jwt|bearer"
    r"|mnemonic|(?:api|app|admin|consumer|priv|private|subscription|access|auth|encrypt(?:ion)?|decrypt(?:ion)?|signing|ssh|master|account|shared"
    r"|hmac|aes|rsa|gpg|pgp|fernet|crypto|license|security|recovery|stripe|webhook)_?key"
    r"|authori[sz]ation|(?<![a-z])auth(?:entication)?(?:_header)?$|security_answer"
    r"|sess(?:ion)?_?id(?![a-z])|session_?(?:key|data)(?![a-z])|(?<![a-z])sessions?$"
    r"|(?:card|account|(?<![a-z])cc)_?(?:number|num|no)(?![a-z])|credit_?card"
    r"|(?:security|recovery|verification|backup|activation|mfa|2fa|auth|one_?time)_?codes?(?![a-z])"
    r"|(?:seed|recovery|mnemonic)_?(?:phrase|words)|one_?time_?pass|(?<![a-z])pw(?![a-z])"
    r"|(?<![a-z])(?:[ht]?otp|pin|cvv|cvc|csc|iban|ssn)s?(?![a-z])|social_security"
)
#: What only counts, measures, sorts or dates a secret.
_INNOCENT_NAME: Final = re.compile(
    r"_(?:count|counts|limit|length|len|size|type|ttl|age|expir(?:y|es|ed|ation)(?:_(?:at|in|on))?"
    r"|(?:changed|created|updated|rotated)_(?:at|on)|usage|enabled|required)$"
    r"|(?<![a-z])(?:max|min|num|n|used|total|prompt|completion|input|output|cached|reasoning)_tokens$"
    r"|(?<![a-z])tokens_(?:used|per_|in$|out$|total$)"
)
#: Names whose value in a text goes on past a space.
_WHOLE_LINE_NAME: Final = re.compile(r"authori[sz]ation|cookie|pass_?phrase", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Rules:
    """What else is a secret in a project; ``z4j_django.secrets.rules`` makes them.

    Attributes:
        keys: Searched in names, in snake case.
        values: Searched in texts; what they fit is masked.
        emails: Whether e-mail addresses are masked.
    """

    keys: Sequence[re.Pattern[str]] = ()
    values: Sequence[re.Pattern[str]] = ()
    emails: bool = False


NO_RULES: Final = Rules()


@functools.lru_cache(maxsize=4096)
def is_secret_name(name: str, rules: Rules = NO_RULES) -> bool:
    """Whether what stands under this name (a key, a parameter, a header) is a secret."""
    if not name.islower():
        name = _CAMEL.sub("_", name).lower()
    name = name.replace("-", "_").replace(" ", "_")
    if any(pattern.search(name) for pattern in rules.keys):
        return True
    return _SECRET_NAME.search(name) is not None and _INNOCENT_NAME.search(name) is None


def mask_text(text: str, rules: Rules = NO_RULES) -> str:
    """Masks every secret in a text where it stands, and leaves the rest as it was."""
    for pattern in rules.values:
        text = pattern.sub(MASK, text)
    if rules.emails and "@" in text:
        text = _EMAIL.sub(MASK, text)
    text = tokens.mask_numbers(tokens.mask_tokens(text))
    has_sign = any(sign in text for sign in _SIGNS)
    if has_sign and (rules.keys or _NAMED.search(text.lower())):
        text = _mask_spans(text, sorted(_spans(text, rules)))
    if "--" in text:
        text = _FLAG.sub(functools.partial(_mask_named, rules), text)
    if "</" in text:
        text = _ELEMENT.sub(functools.partial(_mask_named, rules), text)
    return text


def mask_orphan_pem(text: str) -> str:
    """Masks the rest of a PEM block at the start of a text that was cut out of a longer one."""
    end = text.find("-----END ")
    if end < 0 or 0 <= text.find("-----BEGIN ") < end:
        return text
    return MASK + text[end:]


#: Of a run of its characters, only the whole is tried: the pattern is linear.
_EMAIL: Final = re.compile(r"(?<![\w.%+-])[\w.%+-]++@[A-Za-z0-9-]++(?:\.[A-Za-z0-9-]++)++")

# --- Names and their values within a text -------------------------------------------------------

#: A secret's value in a text: where it begins and ends.
_Span: TypeAlias = tuple[int, int]

#: What stands between every name and its value.
_SIGNS: Final = ("=", ":", ",", "%3")
#: A look at a text in lower case that most have to stand: a word of ``_SECRET_NAME``, and behind it
#: what follows a name; İ becomes two characters. Each alternative begins with another letter.
_NAMED: Final = re.compile(
    r"(?:a(?:uth|ccount|nswer)|bearer"
    r"|c(?:ard(?: n(?:umber|um|o))?|c[_-]?n|ode|ookie|red|srf|vv|vc|sc)|iban|jwt|key|mnemonic|otp"
    r"|p(?:ass|hrase|in|wd|w)|s(?:ecret(?: [a-z_-]{1,40})?|ess|sn|ocial)|token|words|xsrf)"
    r"[\w\u0307-]{0,200}+(?:[\"'\\\]%=:]|[ \t]*+[=:\r\n])"
)
_PAIR: Final = re.compile(
    r"(?<![\w-])((?:(?i:api|secret|private|access|card) )?[0-9]{0,2}+[A-Za-z_-][\w-]*+)"
    r"(?:\\{0,3}[\"'])?(?:\]|%5[Dd])?[ \t]*+(?:=>|:=|=(?!=)|:(?!:)|%3[Dd])[ \t]*+"
)
#: A name and a value that stand one after the other under names of their own, as forms,
#: environments, Kubernetes and .NET write them.
_NAME_THEN_VALUE: Final = re.compile(
    r"(?i:name|key|header|field|k)\\?[\"']?[ \t]{0,4}[=:][ \t]{0,4}\\?[\"']?"
    r"([A-Za-z][\w.-]{0,200}+)\\?[\"']?(?:,\s{0,40}|\s{1,40})"
    r"\\?[\"']?(?i:value|val|v)\\?[\"']?[ \t]{0,4}[=:][ \t]{0,4}"
)
#: The same the other way round, as what sorts its keys backwards, or not at all, writes it.
_VALUE_THEN_NAME: Final = re.compile(
    r"[\"'](?i:value|val|v)[\"']\s{0,4}:\s{0,4}"
    r"([bu]?(?:\"(?:[^\"\\\n]|\\.)*+\"|'(?:[^'\\\n]|\\.)*+'))\s{0,4},\s{0,40}"
    r"[\"'](?i:name|key|header|field|k)[\"']\s{0,4}:\s{0,4}[\"']([A-Za-z][\w.-]{0,200}+)[\"']"
)
#: A field of a multipart body.
_FORM_FIELD: Final = re.compile(
    r"form-data;[ ]?name=\"?([^\"\r\n;]{1,200}+)[^\r\n]{0,200}+"
    r"(?:\r?\n[^\r\n]{1,200}+){0,4}\r?\n\r?\n"
)
#: As Python and JSON write a pair of texts; the value is the last of two.
_TUPLE: Final = re.compile(r"[(\[][bu]?([\"'])([A-Za-z][\w-]{0,200}+)\1,[ ]{0,4}(?=[bu]?[\"'])")
_ASSIGNMENT: Final = re.compile(r"[ \t]{0,4}=(?!=)[ \t]{0,4}")
#: To the end of the line, with its quoted parts; or to the quote that ends the whole of it.
_LINE: Final = re.compile(
    r"(?:[^\r\n\"'\\]|\\.|(?<=[=,; ])(?:\"[^\"\r\n]*+\"?|'[^'\r\n]*+'?))*+\\?"
)
_REST_OF_LINE: Final = re.compile(r"[^\r\n]*+")
#: A comma or semicolon belongs to a value, unless a space, a quote or another name follows.
_BARE: Final = re.compile(
    r"(?:[^\s,;&\"'()\[\]{}]|[,;](?![\s\"'\[({\\]|[\w.-]{1,64}+[\"']?\]?[ ]?[=:]|\Z)"
    r"|[)\]}](?=[A-Za-z0-9]))*+"
)
_VALUE: Final = re.compile(
    r"[bfruBFRU]{0,2}(?:\"\"\"(?:[^\"\\]|\\[\s\S]|\"(?!\"\"))*+(?:\"\"\")?"
    r"|'''(?:[^'\\]|\\[\s\S]|'(?!''))*+(?:''')?"
    r"|\"(?:[^\"\\\n]|\\.)*+\"?|'(?:[^'\\\n]|\\.)*+'?)"
    r"|\\{1,3}[\"'][^\"'\n]*+[\"']?"
    rf"|{_BARE.pattern}"
)
#: What may belong to a value behind its brackets: no assignment, and no other name.
_PAST_BRACKET: Final = re.compile(rf"(?![=:]|[\w.-]{{1,64}}+[\"']?\]?[ ]?[=:]){_BARE.pattern}")
_BRACKET: Final = re.compile(r"[()\[\]{}]")
#: How a block of YAML begins, whose lines stand further in than its name; or a list of it.
_BLOCK: Final = re.compile(
    r"[|>](?:[+-][0-9]?|[0-9][+-]?)?(?:[ \t]++(?:#[^\r\n]*+)?)?(?=\r?\n)|(?=\r?\n[ \t]*+- )"
)
#: A value that begins in the line behind its name; only where the name begins its own line.
_NEXT_LINE: Final = re.compile(r"(?=\r?\n[ \t]++\S)")
#: Characters before a name that are looked at for the beginning of its line.
_LINE_START: Final = 100
_INDENT: Final = re.compile(r"[ \t]*+(?:- +)?")
_NO_SECRETS: Final = frozenset({"", "''", '""', "None", "null", "True", "true", "False", "false"})


#: A command's option and its value, in a line or in a list; an element of XML and its text.
_FLAG: Final = re.compile(
    r"(--(?<![\w-]--)([A-Za-z][\w-]*+)(?:[\"'],)?[ ]{1,4}[\"']?)(?![-\"'])[^\s\"',]++"
)
_ELEMENT: Final = re.compile(
    r"(<(?:[\w.-]{1,40}+:)?([\w.-]++)(?:\s[^<>]*+)?>)"
    r"(?:\s*+<!\[CDATA\[(?:[^\]]|\](?!\]>))*+\]\]>\s*+|[^<>]++)(?=</)"
)


def _mask_named(rules: Rules, match: re.Match[str]) -> str:
    kept, name = match[1], match[2]
    secret = is_secret_name(name[-NAME_LENGTH:], rules)
    return kept + MASK if secret else match[0]


def _mask_spans(text: str, spans: Sequence[_Span]) -> str:
    parts: list[str] = []
    done = 0
    for start, end in spans:
        if start < done or text[start:end] in _NO_SECRETS:
            continue
        quote = text[start] if text[start] in "\"'" else ""
        parts += text[done:start], quote, MASK, quote
        done = end
    return "".join(parts) + text[done:] if parts else text


def _spans(text: str, rules: Rules) -> Iterator[_Span]:
    """The values of all that is named as a secret."""
    start = 0
    while match := _PAIR.search(text, start):
        start, name = match.end(), match[1]
        if text[match.start() - 1 : match.start()] == "%":
            name = name[2:]  # ``%5Bpassword%5D``
        if is_secret_name(name[-NAME_LENGTH:], rules):
            end = _value_end(text, start, match)
            yield start, end
            start = end
    for match in _NAME_THEN_VALUE.finditer(text):
        if is_secret_name(match[1][-NAME_LENGTH:], rules):
            yield match.end(), _after_brackets(text, match.end())
    for match in _VALUE_THEN_NAME.finditer(text):
        if is_secret_name(match[2][-NAME_LENGTH:], rules):
            yield match.span(1)
    for match in _FORM_FIELD.finditer(text):
        if is_secret_name(match[1][-NAME_LENGTH:], rules):
            yield match.end(), _after(_REST_OF_LINE, text, match.end())
    for match in _TUPLE.finditer(text):
        end = _after(_VALUE, text, match.end())
        if text[end : end + 1] in (")", "]") and is_secret_name(match[2][-NAME_LENGTH:], rules):
            yield match.end(), end


def _value_end(text: str, start: int, pair: re.Match[str]) -> int:
    if block := _BLOCK.match(text, start):
        return _block_end(text, block.end(), pair.start())
    if _NEXT_LINE.match(text, start) and _begins_line(text, pair.start()):
        return _block_end(text, start, pair.start())
    is_quoted = text[start : start + 1] in ("'", '"')
    if not is_quoted and _WHOLE_LINE_NAME.search(pair[1]):
        end = _after(_LINE, text, start)
    else:
        end = _after_brackets(text, start)
    # ``token: str = "…"``, as a traceback shows it: the value comes after the annotation.
    if assignment := _ASSIGNMENT.match(text, end):
        end = _after(_VALUE, text, assignment.end())
    return end


def _after_brackets(text: str, start: int) -> int:
    end = _after(_VALUE, text, start)
    while text[end : end + 1] in ("(", "[", "{"):
        end = _after(_PAST_BRACKET, text, _bracket_end(text, end))
    return end


def _after(pattern: re.Pattern[str], text: str, start: int) -> int:
    match = pattern.match(text, start)
    return match.end() if match else start


def _bracket_end(text: str, start: int) -> int:
    depth = 0
    for bracket in _BRACKET.finditer(text, start):
        depth += 1 if bracket[0] in "([{" else -1
        if depth == 0:
            return bracket.end()
    return len(text)


def _begins_line(text: str, name: int) -> bool:
    before = text[max(name - _LINE_START, 0) : name].rpartition("\n")[2]
    return _INDENT.fullmatch(before.rstrip("\"'")) is not None


def _block_end(text: str, start: int, name: int) -> int:
    """Where the lines end that stand further in than the line of the name at ``name``."""
    first = text.rfind("\n", 0, name) + 1
    indent = _after(_INDENT, text, first) - first
    end = start
    while (line := text.find("\n", end)) >= 0:
        content = _after(_INDENT, text, line + 1)
        is_blank = text[content : content + 1] in ("", "\r", "\n")
        if not is_blank and content - line - 1 <= indent:
            break
        end = _after(_REST_OF_LINE, text, content)
    return end
