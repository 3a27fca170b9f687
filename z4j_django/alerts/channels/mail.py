"""E-mail, by the project's own settings for it."""

from __future__ import annotations

import base64
import hashlib
import smtplib
import ssl
import threading
from collections.abc import Iterator
from typing import Annotated, Any, Final

from django.conf import settings
from django.core import mail
from django.core.exceptions import ValidationError
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.smtp import EmailBackend
from django.core.validators import validate_email
from django.utils.module_loading import import_string
from msgspec import UNSET, Meta, UnsetType

from z4j_django.agent import forks
from z4j_django.alerts import wording
from z4j_django.alerts.channels.base import Answer, ChannelOptions, Kind, Sending, said
from z4j_django.alerts.message import Message
from z4j_django.options import given as given_or
from z4j_django.options import option
from z4j_django.secrets.masking import MASK
from z4j_django.timeouts import within
from z4j_django.values import SHORT

#: Letters that may wait for a server at once: each that hangs has a thread until its own end.
_MOST: Final = 4
#: Seconds that a server may be silent, where the project's settings know no bound: no thread waits
#: for ever, nor holds its place among them.
_PATIENCE: Final = 30.0
#: Addresses of one channel.
_RECIPIENTS: Final = 50


def _addresses(text: str) -> list[str]:
    return [one for one in (part.strip() for part in text.split(",")) if one]


def _wrong_addresses(text: str) -> str:
    found = _addresses(text)
    if not 1 <= len(found) <= _RECIPIENTS:
        return f"Give 1 to {_RECIPIENTS} addresses, with commas between them."
    return next(filter(None, map(_wrong_address, found)), "")


def _wrong_address(text: str) -> str:
    try:
        validate_email(text)
    except ValidationError:
        return "This is no address: give such as ops@example.com."
    return ""


class EmailOptions(ChannelOptions, frozen=True, kw_only=True):
    """Who gets it."""

    to: Annotated[
        Annotated[str, Meta(min_length=3, max_length=2_000)],
        option(
            "The addresses, with commas between them.", metavar="ADDRESSES", check=_wrong_addresses
        ),
    ]
    sender: Annotated[
        Annotated[str, Meta(min_length=3, max_length=SHORT)] | UnsetType,
        option(
            "The address it comes from. By default `DEFAULT_FROM_EMAIL`.",
            metavar="ADDRESS",
            check=_wrong_address,
        ),
    ] = UNSET


class _Post:
    """The letters of this process that are on their way; a forked child has none of them."""

    def __init__(self) -> None:
        self.after_fork()
        forks.tell(self)

    def after_fork(self) -> None:
        self.places = threading.BoundedSemaphore(_MOST)
        self.leaving = threading.Lock()


_post: Final = _Post()


class _Letter(EmailMultiAlternatives):
    """A letter that knows whether it is on its way, and that does not leave late.

    Backends ask for its text right before they hand it over. Some copy or pickle it first.
    """

    _is_late = False
    is_out = False

    def message(self, *args: Any, **options: Any) -> Any:
        with _post.leaving:
            if self._is_late:
                raise TimeoutError("the time is over")
            self.is_out = True
        return super().message(*args, **options)

    def call_back(self) -> bool:
        """Whether it did not leave, and will not."""
        with _post.leaving:
            self._is_late = True
            return not self.is_out


def letter(given: EmailOptions, message: Message) -> _Letter:
    """The message as it is mailed."""
    sender = given_or(given.sender, settings.DEFAULT_FROM_EMAIL)
    domain = sender.rpartition("@")[2].strip("<> ") or "localhost"
    thread = f"<{_digest(message.group)}@{domain}>"
    found = _Letter(
        subject=wording.headline(message),
        body=wording.plain(message),
        from_email=sender,
        to=_addresses(given.to),
        headers={
            "Message-ID": f"<{_digest(message.id, message.group)}@{domain}>",
            "References": thread,
            "In-Reply-To": thread,
            "Auto-Submitted": "auto-generated",
        },
    )
    found.attach_alternative(wording.html_text(message), "text/html")
    return found


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode(errors="replace")).hexdigest()[:32]


def deliver(given: EmailOptions, message: Message, sending: Sending) -> Answer:
    """Mail it."""
    mailed = letter(given, message)
    if not _post.places.acquire(blocking=False):
        return Answer("later", "Letters that were sent before still wait for the mail server.")
    try:
        count = within(sending.timeout, lambda: _sent(mailed))
    except TimeoutError as error:
        may_have_left = not (mailed.call_back() and _is_smtp())
        return Answer("unknown" if may_have_left else "later", _told(error, given))
    except Exception as error:  # a backend's own
        return Answer(_outcome(error, mailed.is_out), _told(error, given))
    if not count:
        return Answer("refused", "The mail backend sent nothing.")
    return Answer("sent", f"Handed over for {_counted(len(mailed.to))}.")


def _counted(number: int) -> str:
    """Whoever sees what was sent need not be one who sees to whom."""
    return "1 address" if number == 1 else f"{number} addresses"


def _sent(mailed: _Letter) -> int:
    try:
        backend = _backend()
        if isinstance(backend, EmailBackend) and backend.timeout is None:
            backend.timeout = _PATIENCE
        return backend.send_messages([mailed]) or 0
    finally:
        _post.places.release()


def _outcome(error: Exception, is_out: bool) -> Any:
    """What came of a letter, by SMTP's codes, or by how far it was."""
    codes = _codes(error)
    if codes:
        return "later" if any(400 <= code < 500 for code in codes) else "refused"
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLCertVerificationError):
        return "unknown" if is_out else "later"
    return "refused"


def _codes(error: Exception) -> list[int]:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return [code for code, _ in error.recipients.values()]
    return [error.smtp_code] if isinstance(error, smtplib.SMTPResponseException) else []


def _told(error: Exception, given: EmailOptions) -> str:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        parts = [f"{code} {_text(answer)}" for code, answer in error.recipients.values()]
        text = "; ".join(parts)
    elif isinstance(error, smtplib.SMTPResponseException):
        text = f"{error.smtp_code} {_text(error.smtp_error)}"
    else:
        text = f"{type(error).__name__}: {error}"
    for secret in (*_secrets(), *sorted(_addresses(given.to), key=len, reverse=True)):
        text = text.replace(secret, MASK)
    return said(text, given)


def _text(answer: bytes | str) -> str:
    return answer.decode(errors="replace") if isinstance(answer, bytes) else answer


def _mailer() -> tuple[str, dict[str, Any]]:
    """The backend, and what it is told: Django 6.1 has ``MAILERS``."""
    mailers = getattr(settings, "MAILERS", None)
    if mailers is None:
        user, password = settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD
        return settings.EMAIL_BACKEND, {"username": user, "password": password}
    default = mailers.get("default", {})
    return default.get("BACKEND", _SMTP), default.get("OPTIONS", {})


def _backend() -> Any:
    """A new one."""
    if hasattr(mail, "mailers"):
        return mail.mailers["default"]
    return mail.get_connection()


_SMTP: Final = "django.core.mail.backends.smtp.EmailBackend"


def _is_smtp() -> bool:
    return issubclass(import_string(_mailer()[0]), EmailBackend)


def _secrets() -> Iterator[str]:
    """The password, as it is and as it goes over the line."""
    told = _mailer()[1]
    if password := told.get("password"):
        yield str(password)
        for line in (f"\0{told.get('username')}\0{password}", str(password)):
            yield base64.b64encode(line.encode(errors="replace")).decode()


KIND: Final = Kind(
    key="email",
    title="E-mail",
    about="Mails plain text and HTML, by the project's own settings for e-mail.",
    options=EmailOptions,
    deliver=deliver,
    place=lambda given: given.to,
)
