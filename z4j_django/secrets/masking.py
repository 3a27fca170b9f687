"""What a secret looks like: by the name it stands under, and by its own form in a text.

Pure. No pattern holds a repetition within an unbounded repetition, and none starts twice in one
run of characters, so each is linear in the text. Callers bound the text.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

MASK: Final = "••••••"

#: A longer name is judged by its end.
NAME_LENGTH: Final = 200

_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

#: Searched in a name in snake case. ``(?<![a-z])`` and ``(?![a-z])`` fence off whole words.
_SECRET_NAME: Final = re.compile(
    r"passw|passphrase|pass_phrase|passcode|passkey|(?<![a-z])pwd|(?<![a-z])pass$"
    r"|secret(?!ar)|token(?!i[sz])|credential|csrf|xsrf|cookie|jwt|bearer|mnemonic"
    r"|(?:api|private|access|auth|encrypt(?:ion)?|decrypt(?:ion)?|signing|ssh|master|account|shared"
    r"|hmac|aes|rsa|gpg|pgp|fernet|crypto|license|security|recovery|stripe|webhook)_?key"
    r"|authori[sz]ation|(?<![a-z])auth$"
    r"|session_?(?:id|key|data)(?![a-z])|(?<![a-z])sessions?$"
    r"|(?:card|account)_?(?:number|num|no)(?![a-z])|credit_?card"
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
    if len(text) >= _SHORTEST_TOKEN and _TOKEN_HINT.search(text):
        text = _TOKEN.sub(_mask_token, text)
    if "@" in text and "://" in text:
        text = _URL_PASSWORD.sub(_mask_token, text)
    if len(text) >= _SHORTEST_CARD and _DIGITS.search(text):
        text = _mask_numbers(text, _CARD, is_card_number)
        text = _mask_numbers(text, _IBAN, _is_iban)
    if "=" in text or ":" in text:
        text = _mask_pairs(text, rules)
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


def is_card_number(number: str) -> bool:
    """Whether these digits (spaces and hyphens between them) are a payment card's number."""
    digits = number.replace(" ", "").replace("-", "")
    if digits[:1] not in _FIRST_DIGITS.get(len(digits), ()):
        return False
    values = [int(digit) for digit in reversed(digits)]
    return (sum(values[::2]) + sum(_DOUBLED[value] for value in values[1::2])) % 10 == 0


# --- Tokens: known by how they begin ------------------------------------------------------------

_SHORTEST_TOKEN: Final = 8
#: Something that every token holds; one look at most texts ends here. Each alternative begins
#: with another literal: the engine then skips to characters that can begin one.
_TOKEN_HINT: Final = re.compile(
    r"e(?:yJ|arer )|-----|k(?:_live_|_test_|ey-)|s(?:k-|hp[acps]{2}_|q0|ntr[yu]s_|bp_|ig=)"
    r"|tok_|g(?:h[opusr]_|ithub_pat_|l(?:pat|dt|rt|ptt|soat|cbt)-|l(?:sa|c)_|d_|nature=)|x(?:ox|app-)"
    r"|A(?:KIA|SIA|Iza|K-|TATT|SIC )|whsec_|n(?:pm_|tn_)|p(?:ypi-|scale_)|h(?:f_|vs\.)|_api_|:AA"
    r"|d(?:o[opr]_v1_|api|ckr_)|S(?:G\.|PX-|ECRET-KEY-|K[0-9a-f]{32})|y(?:a29\.|gems_)|EARER |asic "
)
#: The one group of each alternative is what stays.
_TOKEN: Final = re.compile(
    r"(-----BEGIN [^-\n]{1,40}-----)(?:[^-]|-(?!----))*+(?:-----END [^-\n]{1,40}-----)?"
    r"|((?<![A-Za-z0-9])eyJ)[A-Za-z0-9_.=-]{14,}+"
    r"|((?<![A-Za-z0-9])(?:[rsp]k_(?:live|test)_|tok_))[A-Za-z0-9_]{4,}+"
    r"|((?<![A-Za-z0-9])(?:gh[opusr]_|xox[a-z]-|xapp-|github_pat_|gl(?:pat|dt|rt|ptt|soat|cbt)-"
    r"|whsec_|shp[a-z]{2}_|AIza|GOCSPX-|sq0[a-z]{3}-|dckr_(?:pat|oat)_|lin_api_|ATATT))"
    r"[A-Za-z0-9_=-]{8,}+"
    r"|((?<![A-Za-z0-9])(?:sk-|npm_|pypi-|hf_|do[opr]_v1_|SG\.|ya29\.|hvs\.|dapi|NRAK-|gl(?:sa|c)_"
    r"|ntn_|sntr[yu]s_|rubygems_|pscale_[a-z]{2,8}_|PMAK-|sbp_|figd_|AGE-SECRET-KEY-))"
    r"[A-Za-z0-9_.=+/-]{20,}+"
    r"|((?<![A-Za-z0-9])(?:key-|SK))[0-9a-f]{32}(?![A-Za-z0-9])"
    r"|((?<![A-Za-z0-9])[0-9]{8,10}:AA)[A-Za-z0-9_-]{30,40}+(?![A-Za-z0-9])"
    # Signed addresses: who has one, has what it leads to.
    r"|((?:[?&]sig|[?&](?:X-[A-Za-z]{3,4}-)?Signature)=)[A-Za-z0-9%+/=_~-]{16,}+"
    r"|((?<![A-Za-z0-9])A[KS]IA)[A-Z0-9]{12,}+"
    r"|((?<![A-Za-z])(?i:bearer)[ ]{1,4})[A-Za-z0-9._~+/=-]{6,}+"
    # "basic authentication" is prose: an ordinary word is no credential.
    r"|((?<![A-Za-z])(?i:basic)[ ]{1,4})(?![A-Za-z]?[a-z]*+[.,:;]?(?![A-Za-z0-9+/=_-]))"
    r"[A-Za-z0-9+/=_-]{8,}+"
)


#: Of a run of its characters, only the whole is tried: the pattern is linear.
_EMAIL: Final = re.compile(r"(?<![\w.%+-])[\w.%+-]++@[A-Za-z0-9-]++(?:\.[A-Za-z0-9-]++)++")
_URL_PASSWORD: Final = re.compile(r"(://[^\s/:@\"'<>]*+:)[^\s/\"'<>]+(?=@)")


def _mask_token(match: re.Match[str]) -> str:
    kept: str = match[match.lastindex or 0]
    return kept + MASK


# --- Numbers: known by their check digits -------------------------------------------------------

_SHORTEST_CARD: Final = 13
_DIGITS: Final = re.compile(r"[0-9]{2}[0-9 -]{6}")
_CARD: Final = re.compile(
    r"(?<![0-9A-Za-z])(?<![0-9]\.)[2-6](?:[0-9]{12,18}|[0-9]{3}[ -][0-9]{6}[ -][0-9]{4,5}"
    r"|[0-9]{3}(?:[ -][0-9]{4}){3}(?:[ -][0-9]{1,4})?)(?![0-9A-Za-z])"
)
#: By length, so that timestamps and date stamps (1…, 20…) of a card's length stay readable.
_FIRST_DIGITS: Final = {13: "456", 14: "356", 15: "356", 16: "23456"} | dict.fromkeys(
    (17, 18, 19), "3456"
)
_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
_IBAN: Final = re.compile(
    r"(?<![0-9A-Za-z])[A-Z]{2}[0-9]{2}(?:[ ]?[A-Z0-9]{4}){2,7}(?:[ ]?[A-Z0-9]{1,3})?(?![0-9A-Za-z])"
)


def _is_iban(number: str) -> bool:
    compact = number.replace(" ", "")
    if not 15 <= len(compact) <= 34:
        return False
    return int("".join(str(int(char, 36)) for char in compact[4:] + compact[:4])) % 97 == 1


def _mask_numbers(text: str, pattern: re.Pattern[str], is_number: Callable[[str], bool]) -> str:
    parts: list[str] = []
    done = start = 0
    while match := pattern.search(text, start):
        # What follows the number may look like one more group of it.
        ends = (end for end in _ends(match) if is_number(text[match.start() : end]))
        end = next(ends, 0)
        if end:
            parts += text[done : match.start()], MASK
            done = start = end
        else:
            start = match.start() + 1
    return "".join(parts) + text[done:] if parts else text


def _ends(match: re.Match[str]) -> Iterator[int]:
    yield match.end()
    for offset in range(len(match[0]) - 1, 0, -1):
        if match[0][offset] in " -":
            yield match.start() + offset


# --- Pairs: ``name=value`` within a text --------------------------------------------------------

_PAIR: Final = re.compile(
    r"(?<![\w-])((?:(?i:api|secret|private|access|card) )?[0-9]{0,2}+[A-Za-z_-][\w-]*+)"
    r"(?:\\{0,3}[\"'])?[ \t]{0,4}(?:=>|:=|=(?!=)|:(?!:))[ \t]{0,4}"
)
_ASSIGNMENT: Final = re.compile(r"[ \t]{0,4}=(?!=)[ \t]{0,4}")
_LINE: Final = re.compile(r"[^\r\n\"']*+")
_VALUE: Final = re.compile(
    r"[bfruBFRU]{0,2}(?:\"(?:[^\"\\\n]|\\.)*+\"?|'(?:[^'\\\n]|\\.)*+'?)"
    r"|\\{1,3}[\"'][^\"'\n]*+[\"']?"
    r"|[^\s,;&\"'()\[\]{}]*+"
)
_BRACKET: Final = re.compile(r"[()\[\]{}]")
_NO_SECRETS: Final = frozenset({"", "''", '""', "None", "null", "True", "true", "False", "false"})


#: A command's option and its value, in a line or in a list; an element of XML and its text.
_FLAG: Final = re.compile(
    r"(?<![\w-])(--([A-Za-z][\w-]*+)(?:[\"'],)?[ ]{1,4}[\"']?)(?![-\"'])[^\s\"',]++"
)
_ELEMENT: Final = re.compile(r"(<(?:[\w.-]{1,40}+:)?([\w.-]++)(?:\s[^<>]*+)?>)[^<>]++(?=</)")


def _mask_named(rules: Rules, match: re.Match[str]) -> str:
    kept, name = match[1], match[2]
    secret = is_secret_name(name[-NAME_LENGTH:], rules)
    return kept + MASK if secret else match[0]


def _mask_pairs(text: str, rules: Rules) -> str:
    parts: list[str] = []
    done = start = 0
    while match := _PAIR.search(text, start):
        start = match.end()
        if not is_secret_name(match[1][-NAME_LENGTH:], rules):
            continue
        end = _value_end(text, start, match[1])
        if text[start:end] not in _NO_SECRETS:
            quote = text[start] if text[start] in "\"'" else ""
            parts += text[done:start], quote, MASK, quote
            done = end
        start = end
    return "".join(parts) + text[done:] if parts else text


def _value_end(text: str, start: int, name: str) -> int:
    is_quoted = text[start : start + 1] in ("'", '"')
    pattern = _LINE if not is_quoted and _WHOLE_LINE_NAME.search(name) else _VALUE
    end = _after(pattern, text, start)
    if text[end : end + 1] in ("(", "[", "{"):
        end = _bracket_end(text, end)
    # ``token: str = "…"``, as a traceback shows it: the value comes after the annotation.
    if assignment := _ASSIGNMENT.match(text, end):
        end = _after(_VALUE, text, assignment.end())
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
