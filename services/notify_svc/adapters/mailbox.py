"""Sends mails over SMTP, or writes them as files in the data folder where no server is configured."""

from __future__ import annotations

import asyncio
import os
import re
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import parseaddr
from pathlib import Path
from urllib.parse import unquote, urlsplit

import aiosmtplib
import structlog

from services.notify_svc.app.send_mails import Deferred, Mail, Mailbox, Rejected
from shared.settings import Settings

log = structlog.get_logger(__name__)


def mailbox_of(settings: Settings) -> Mailbox:
    """SMTP when EPIC_SMTP_URL is set, else a folder."""
    if settings.smtp_url:
        return SmtpMailbox(settings.smtp_url, settings.mail_from)
    folder = settings.data_dir / "mail"
    log.info("no EPIC_SMTP_URL: mails are written as files", folder=str(folder))
    return FolderMailbox(folder, settings.mail_from)


# A folded subject is shown with a gap by some mail readers; SMTP allows lines of 998 characters.
_POLICY = SMTP.clone(max_line_length=900)


def _message(mail: Mail, sender: str) -> EmailMessage:
    message = EmailMessage(policy=_POLICY)
    message["From"] = sender
    message["To"] = ", ".join(mail.recipients)
    message["Subject"] = mail.subject
    message["Date"] = mail.date
    message["Message-ID"] = mail.message_id
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    return message


class FolderMailbox:
    """Writes ``mail/<NotificationId>.eml``: complete or not at all, and one file however often it is sent."""

    def __init__(self, folder: Path, sender: str) -> None:
        self._folder, self._sender = folder, sender

    async def send(self, mail: Mail) -> None:
        await asyncio.to_thread(self._write, mail)

    def _write(self, mail: Mail) -> None:
        name = re.sub(r"[^A-Za-z0-9._-]", "_", mail.name)[:200]
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            unfinished = self._folder / f".{name}.part"
            with unfinished.open("wb") as file:
                file.write(_message(mail, self._sender).as_bytes())
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(self._folder / f"{name}.eml")
        except OSError as error:
            raise Deferred(f"the mail folder {self._folder}: {error.strerror}") from None


class SmtpMailbox:
    """``smtp://[user:password@]host[:25]`` (STARTTLS where offered) or ``smtps://…[:465]``."""

    def __init__(self, url: str, sender: str, *, timeout: float = 30) -> None:
        parts = urlsplit(url)
        self._tls = parts.scheme == "smtps"
        self._host = parts.hostname or "localhost"
        self._port = parts.port or (465 if self._tls else 25)
        self._user = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else None
        self._sender, self._timeout = sender, timeout

    async def send(self, mail: Mail) -> None:
        try:
            await aiosmtplib.send(
                _message(mail, self._sender).as_bytes(),
                sender=parseaddr(self._sender)[1],
                recipients=list(mail.recipients),
                hostname=self._host,
                port=self._port,
                username=self._user,
                password=self._password,
                use_tls=self._tls,
                timeout=self._timeout,
            )
        except aiosmtplib.SMTPRecipientsRefused as error:
            reasons = [f"{refused.recipient}: {refused.code} {refused.message}" for refused in error.recipients]
            permanent = all(refused.code >= 500 for refused in error.recipients)
            raise (Rejected if permanent else Deferred)("; ".join(reasons)) from None
        except aiosmtplib.SMTPResponseException as error:
            permanent = error.code >= 500 and not isinstance(error, aiosmtplib.SMTPAuthenticationError)
            raise (Rejected if permanent else Deferred)(f"{error.code} {error.message}") from None
        except (aiosmtplib.SMTPException, OSError) as error:
            raise Deferred(f"{self._host}:{self._port}: {error}") from None
