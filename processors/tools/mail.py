"""Sends mail by SMTP."""

import asyncio
import smtplib
import ssl
from email.message import EmailMessage
from email.utils import localtime, parseaddr

from loguru import logger

from processors.tools.base import ToolError
from settings import Settings, SmtpSecurity

STEP_SECS = 8.0
"""How long each step of the conversation with the server may take."""


class Mail:
    """A mail server that takes our mail.

    Args:
        settings: The ``smtp_`` ones.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    async def send(self, to: str, subject: str, text: str, key: str) -> None:
        """Send a text.

        Args:
            to: Address.
            subject: Subject.
            text: Body.
            key: Names the mail: a copy of it has the same ``Message-ID`` (RFC 5322, 3.6.4).

        Raises:
            ToolError: It was not sent; says why in words.
        """
        settings = self._settings
        if not settings.smtp_host:
            raise ToolError("no mail server is set up, so nothing was sent")
        message = EmailMessage()
        message["From"] = settings.smtp_from
        message["To"] = to
        message["Subject"] = subject
        message["Date"] = localtime()
        domain = parseaddr(settings.smtp_from)[1].rpartition("@")[2] or "localhost"
        message["Message-ID"] = f"<{key}@{domain}>"
        message.set_content(text)
        try:
            await asyncio.to_thread(self._deliver, message)
        except (smtplib.SMTPException, OSError) as error:
            code = getattr(error, "smtp_code", "")
            logger.warning("mail: {} {}", type(error).__name__, code)
            raise ToolError("the mail server did not take it, so nothing was sent") from None

    def _deliver(self, message: EmailMessage) -> None:
        settings = self._settings
        where = (settings.smtp_host, settings.smtp_port)
        if settings.smtp_security is SmtpSecurity.TLS:
            server = smtplib.SMTP_SSL(*where, timeout=STEP_SECS, context=ssl.create_default_context())
        else:
            server = smtplib.SMTP(*where, timeout=STEP_SECS)
        with server:
            if settings.smtp_security is SmtpSecurity.STARTTLS:
                server.starttls(context=ssl.create_default_context())
            if settings.smtp_username:
                server.login(settings.smtp_username, settings.smtp_password.get_secret_value())
            server.send_message(message)
