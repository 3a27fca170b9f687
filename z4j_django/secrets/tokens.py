"""Secrets that are known by their own form: tokens, addresses that are keys, numbers. Pure.

Which prefixes there are is told by the services themselves, and by public lists such as gitleaks'.
Every pattern begins with a literal or a class, so that the engine skips to what can begin one, and
looks behind only then. What a repetition takes is bounded, or is never given back but to an @.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from string import ascii_uppercase
from typing import Final

MASK: Final = "••••••"


def mask_tokens(text: str) -> str:
    """Masks what a prefix or an address tells."""
    if len(text) < _SHORTEST_TOKEN:
        return text
    text = _TOKEN.sub(_mask_token, text)
    if len(text) >= _SHORTEST_MARKED:
        for mark, pattern in _MARKED:
            if mark in text:
                text = pattern.sub(_mask_marked, text)
    if "@" in text and "://" in text:
        text = _URL_USER.sub(_mask_user, _URL_PASSWORD.sub(_mask_marked, text))
    return text


def mask_numbers(text: str) -> str:
    """Masks numbers of payment cards and bank accounts."""
    if len(text) < _SHORTEST_NUMBER or not _DIGITS.search(text):
        return text
    return _mask_checked(_mask_checked(text, _CARD, is_card_number), _IBAN, _is_iban)


def is_card_number(number: str) -> bool:
    """Whether these digits (spaces and hyphens between them) are a payment card's number."""
    digits = number.replace(" ", "").replace("-", "")
    if digits[:1] not in _FIRST_DIGITS.get(len(digits), ()):
        return False
    values = [int(digit) for digit in reversed(digits)]
    return (sum(values[::2]) + sum(_DOUBLED[value] for value in values[1::2])) % 10 == 0


# --- Tokens: known by how they begin ------------------------------------------------------------

_SHORTEST_TOKEN: Final = 8
_SHORTEST_MARKED: Final = 24

#: How a token goes on, and the prefixes of those that go on so. A prefix stays visible.
_SHAPES: Final[Mapping[str, str]] = {
    r"[A-Za-z0-9_]{4,}+": (
        "sk_live_ sk_test_ sk_prod_ rk_live_ rk_test_ rk_prod_ pk_live_ pk_test_ tok_"
    ),
    r"[A-Za-z0-9_=-]{8,}+": (
        "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ gldt- glptt- glsoat- glcbt- glffct- "
        "glft- glimt- glagent- gloas- xoxa- xoxb- xoxc- xoxd- xoxe- xoxo- xoxp- xoxr- xoxs- "
        "xoxe.xox xapp- whsec_ shpat_ shpca_ shppa_ shpss_ AIza GOCSPX- sq0atp- sq0csp- sq0idp- "
        "dckr_pat_ dckr_oat_ lin_api_ ATATT ATCTT ATBB sm_aat_ sm_pat_ sm_sat_ FLWSECK_TEST- "
        "FLWSECK- PMAK- shippo_live_ shippo_test_ duffel_live_ duffel_test_ GR1348941"
    ),
    r"[A-Z0-9]{12,}+": "AKIA ASIA ABIA ACCA",
    # Of names that begin so, none has a digit in so long a word.
    r"(?=[A-Za-z]*+[0-9])[A-Za-z0-9]{16,}+": (
        "NRJS- LTAI AKCp cmVmd EZAK EZTK pnu_ sgp_ pul- API- p8e- gsk_ xai- r8_ rdme_ "
        "CLOJARS_ dp.pt. dp.st. dp.ct. dp.sa. phc_ phx_"
    ),
    r"[A-Za-z0-9_.=+/-]{20,}+": (
        "sk- npm_ pypi- hf_ dop_v1_ doo_v1_ dor_v1_ SG. ya29. hvs. hvb. dapi NRAK- NRII- "
        "glsa_ glc_ ntn_ sntrys_ sntryu_ rubygems_ pscale_tkn_ pscale_oauth_ pscale_pw_ sbp_ "
        "figd_ tfp_ AGE-SECRET-KEY- dt0c01. EAAA EAAC EAAM fo1_ fm1a_ fm1r_ fm2_ fio-u- "
        "HRKU- sha256~ pplx- tk-us- xkeysib- AQVN dnkey- s-s4t2ud- s-s4t2af- "
        "ZXlK nvapi- tskey-"
    ),
    r"[A-Z0-9]{6}-[A-Z0-9-]{20,}+": "A3-",
    r"[\w-]{22}\.[A-Za-z0-9]{24}\.[A-Za-z0-9]{20}": "pat. sat.",
    r"[A-Za-z0-9_=-]{100,}+": "sl.",
    r"[A-Za-z0-9_.=-]{12,}+": "eyJ glpat- glrt-",
    r"(?=[A-Za-z]*+[0-9])[A-Za-z0-9]{24}(?![A-Za-z0-9_.])": "s.",
    r"[A-Za-z0-9]{38}(?![A-Za-z0-9])": "4b1d",
    r"[0-9a-f]{32}(?![A-Za-z0-9])": "key- pubkey- SK",
}
_PHRASES: Final[Mapping[str, Sequence[str]]] = {
    r"[ ]{0,3}[A-Za-z0-9._~+/=-]{6,}+": ("Bearer ", "bearer ", "BEARER "),
    # "basic authentication" is prose: an ordinary word is no credential.
    r"[ ]{0,3}(?![A-Za-z]?[a-z]*+[.,:;]?(?![A-Za-z0-9+/=_-]))[A-Za-z0-9+/=_-]{8,}+": (
        "Basic ",
        "basic ",
        "BASIC ",
    ),
}


def _prefixes() -> Iterator[tuple[str, str]]:
    """Each prefix, and how its token goes on."""
    for body, listed in _SHAPES.items():
        yield from ((prefix, body) for prefix in listed.split())
    for body, phrases in _PHRASES.items():
        yield from ((prefix, body) for prefix in phrases)


def _as_pattern(entries: Sequence[tuple[str, str]], begin: int = 0) -> str:
    """A pattern of all, two letters deep: at most places one look at one letter is enough.

    A token begins a word, or follows an escaped end of line.
    """
    if begin == 2:
        ways = (
            rf"{re.escape(prefix[2:])}(?:(?<![A-Za-z0-9]{re.escape(prefix)})"
            rf"|(?<=\\[nrt]{re.escape(prefix)})){body}"
            for prefix, body in sorted(entries, key=lambda entry: -len(entry[0]))
        )
        return "|".join(ways)
    groups = groupby(sorted(entries), key=lambda entry: entry[0][begin])
    return "|".join(
        f"{re.escape(letter)}(?:{_as_pattern(list(those), begin + 1)})" for letter, those in groups
    )


_PREFIXES: Final = dict(_prefixes())
_TOKEN: Final = re.compile(_as_pattern(list(_PREFIXES.items())))
_LONGEST_FIRST: Final = sorted(_PREFIXES, key=len, reverse=True)


def _mask_token(match: re.Match[str]) -> str:
    text: str = match[0]
    return next(each for each in _LONGEST_FIRST if text.startswith(each)) + MASK


# --- Known by what stands within or before them: the one group stays ----------------------------

_SIGNATURE: Final = re.compile(
    r"([?&](?:sig|(?:X-[A-Za-z]{3,4}-)?Signature)=)[A-Za-z0-9%+/=_~-]{16,}+"
)
_MARKED: Final[Sequence[tuple[str, re.Pattern[str]]]] = (
    # Who has such an address, may write to what it leads to.
    (
        "hook",
        re.compile(
            r"(hooks\.slack\.com/(?:services|workflows|triggers)/"
            r"|discord(?:app)?\.com/api/(?:v[0-9]{1,2}/)?webhooks/[0-9]{1,30}/"
            r"|\.webhook\.office\.com/webhookb2/)[\w%@./~+-]++"
        ),
    ),
    (
        "-----BEGIN ",
        re.compile(
            r"(-----BEGIN [^-\n]{1,40}-----)(?:[^-]|-(?!----))*+(?:-----END [^-\n]{1,40}-----)?"
        ),
    ),
    # Signed addresses: who has one, has what it leads to.
    ("sig=", _SIGNATURE),
    ("Signature=", _SIGNATURE),
    (":AA", re.compile(r"([0-9](?<![A-Za-z0-9].)[0-9]{7,15}+:AA)[A-Za-z0-9_-]{30,40}+(?!\w)")),
    ("|", re.compile(r"([0-9](?<![A-Za-z0-9].)[0-9]{14,15}\|)[A-Za-z0-9_-]{27,40}+(?!\w)")),
    (
        "curl ",
        re.compile(r"(curl [^\n]{0,300}?(?:-u|--user)[ =][\"']?[^\s:\"']{1,64}+:)[^\s\"']++"),
    ),
    (
        "Private-Lines",
        re.compile(
            r"(Private-Lines: [0-9]{1,4}\r?\n)[A-Za-z0-9+/=]{20,}+(?:\r?\n[A-Za-z0-9+/=]{20,}+)*+"
        ),
    ),
    # Prefixes whose first letter is too frequent to be looked for.
    ("access-", re.compile(r"(access-(?:sandbox|development|production)-)[0-9a-f-]{30,}+")),
    ("api_org_", re.compile(r"(api_org_)(?<!\wapi_org_)[A-Za-z]{30,}+")),
    ("ico-", re.compile(r"(ico-)(?<!\wico-)[A-Za-z0-9]{32}(?!\w)")),
    ("v1.0-", re.compile(r"(v1\.0-)[0-9a-f]{24}-[0-9a-f]{60,}+")),
    ("Q~", re.compile(r"(Q~)(?<=[0-9]Q~)[A-Za-z0-9_~.-]{31,34}+")),
    (".atlasv1.", re.compile(r"(\.atlasv1\.)[A-Za-z0-9_=-]{40,}+")),
    ("_mmk", re.compile(r"([A-Za-z0-9](?<![A-Za-z0-9].)[A-Za-z0-9]{5}_)[A-Za-z0-9]{29}_mmk")),
    ("-us", re.compile(r"([0-9a-f](?<![A-Za-z0-9].))[0-9a-f]{31}-us[0-9]{1,2}(?![A-Za-z0-9])")),
)
_URL_PASSWORD: Final = re.compile(r"(://[^\s/:@\"'<>]*+:)[^\s/\"'<>]+(?=@)")
#: A long one with digits in it is a token, and no name.
_URL_USER: Final = re.compile(r"://([A-Za-z0-9_%.~+=-]{16,}+)(?=@|:[^\s/@\"'<>]*+@)")


def _mask_marked(match: re.Match[str]) -> str:
    kept: str = match[1]
    return kept + MASK


def _mask_user(match: re.Match[str]) -> str:
    user: str = match[1]
    return f"://{MASK}" if any(map(str.isdigit, user)) else match[0]


# --- Numbers: known by their check digits -------------------------------------------------------

_SHORTEST_NUMBER: Final = 13
_DIGITS: Final = re.compile(r"[0-9][0-9 -][0-9A-Z -]{8}[0-9 -][0-9A-Z]")
_CARD: Final = re.compile(
    r"[2-6](?<![0-9A-Za-z].)(?<![0-9]\..)(?:[0-9]{12,18}|[0-9]{3}[ -][0-9]{6}[ -][0-9]{4,5}"
    r"|[0-9]{3}(?:[ -][0-9]{4}){3}(?:[ -][0-9]{1,4})?)(?![0-9A-Za-z])"
)
#: By length, so that timestamps and date stamps (1…, 20…) of a card's length stay readable.
_FIRST_DIGITS: Final = {13: "456", 14: "356", 15: "356", 16: "23456"} | dict.fromkeys(
    (17, 18, 19), "3456"
)
_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
_IBAN: Final = re.compile(
    r"[A-Z](?<![0-9A-Za-z].)[A-Z][0-9]{2}(?:[ ]?[A-Z0-9]{4}){2,7}(?:[ ]?[A-Z0-9]{1,3})?"
    r"(?![0-9A-Za-z])"
)
_LETTERS_AS_NUMBERS: Final = {ord(letter): str(int(letter, 36)) for letter in ascii_uppercase}


def _is_iban(number: str) -> bool:
    compact = number.replace(" ", "")
    if not 15 <= len(compact) <= 34:
        return False
    return int((compact[4:] + compact[:4]).translate(_LETTERS_AS_NUMBERS)) % 97 == 1


def _mask_checked(text: str, pattern: re.Pattern[str], is_number: Callable[[str], bool]) -> str:
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
