"""Call tokens: who may call, and who they are, by signed tokens (JWT, RFC 7519) that the integrator's own server makes.

A token is short-lived: a page gets one from its own server right before the call. It is sent as ``Authorization: Bearer
TOKEN``, or as ``call_token`` in an offer's ``requestData``. It signs for the subject (``sub``) and for when it ends
(``exp``); ``nbf``, ``iss`` and ``aud`` are kept to where they are there. A call outlives its token.
"""

import time
from collections.abc import Mapping
from typing import Any, Final

import jwt
from aiohttp import hdrs, web
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from loguru import logger

from contracts.caller_identity import CallerIdentity
from settings import Settings, SettingsError

FIELD: Final = "call_token"
"""Where in an offer's ``requestData`` a token may stand."""

LEEWAY_SECS: Final = 10.0
"""How much clocks may differ."""

SHARED_ALGORITHM: Final = "HS256"
MAX_CHARS: Final = 8_192
MAX_SUBJECT_CHARS: Final = 256


class TokenError(Exception):
    """A token is missing or is not taken.

    Args:
        code: A word for programs.
        reason: A sentence for people.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class CallTokens:
    """Checks tokens.

    Args:
        secret: What tokens are signed with that both sides know; empty: none are.
        public_key: PEM text of the key that belongs to the signing one: RSA, EC or Ed25519; empty: none.
        max_secs: How far ahead a token may end.
        audience: Whom tokens must be made for; empty: it does not matter.
        issuer: Who must have made them; empty: it does not matter.

    Raises:
        ValueError: The public key is none.
    """

    def __init__(
        self, secret: str = "", public_key: str = "", *, max_secs: float = 3600.0, audience: str = "", issuer: str = ""
    ) -> None:
        self._secret = secret
        self._max_secs = max_secs
        self._audience = audience
        self._issuer = issuer
        self._public_key, self._algorithms = _public(public_key) if public_key else (None, [])

    @classmethod
    def from_settings(cls, settings: Settings) -> "CallTokens":
        """As the settings say; where they ask for no tokens, one that takes everybody.

        Raises:
            SettingsError: The public key cannot be read.
        """
        if not settings.call_tokens_required:
            return cls()
        text = ""
        try:
            if settings.call_token_public_key is not None:
                text = settings.call_token_public_key.read_text(encoding="ascii")
            return cls(
                settings.call_token_secret.get_secret_value(),
                text,
                max_secs=settings.call_token_max_secs,
                audience=settings.call_token_audience,
                issuer=settings.call_token_issuer,
            )
        except (OSError, ValueError, UnsupportedAlgorithm):
            raise SettingsError(
                "CALL_TOKEN_PUBLIC_KEY: it cannot be read; set it to a PEM file with an RSA, EC or Ed25519 public key"
            ) from None

    @property
    def required(self) -> bool:
        """Whether callers need one."""
        return bool(self._secret) or self._public_key is not None

    def identify(self, request: web.Request, request_data: Any) -> CallerIdentity | None:
        """Who makes an offer; None where no tokens are asked for.

        Raises:
            TokenError: The token is missing or is not taken.
        """
        if not self.required:
            return None
        scheme, _, value = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        token = value.strip() if scheme.lower() == "bearer" else ""
        if not token and isinstance(request_data, Mapping):
            given = request_data.get(FIELD)
            token = given if isinstance(given, str) else ""
        if not token:
            raise TokenError("no_call_token", "calling needs a token, and the offer bears none")
        return self.verify(token)

    def verify(self, token: str) -> CallerIdentity:
        """Whose token it is.

        Raises:
            TokenError: It is not taken.
        """
        refused = TokenError("bad_call_token", "the call token is not valid")
        try:
            if len(token) > MAX_CHARS:
                raise refused
            algorithm = jwt.get_unverified_header(token).get("alg")
            # Which key may check it follows from the kind of signature: a public key is no shared secret.
            if algorithm == SHARED_ALGORITHM and self._secret:
                key: Any = self._secret
            elif algorithm in self._algorithms:
                key = self._public_key
            else:
                raise refused
            claims = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=self._audience or None,
                issuer=self._issuer or None,
                leeway=LEEWAY_SECS,
                options={"require": ["exp", "sub"], "verify_aud": bool(self._audience)},
            )
        except jwt.ExpiredSignatureError:
            raise TokenError("call_token_over", "the call token has expired: get another one") from None
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            logger.debug("a call token is refused: {}", type(error).__name__)
            raise refused from None
        if float(claims["exp"]) - time.time() > self._max_secs + LEEWAY_SECS:
            raise TokenError("bad_call_token", f"the call token is made for longer than {self._max_secs:g} s")
        subject = str(claims["sub"])
        if not subject.strip() or len(subject) > MAX_SUBJECT_CHARS:
            raise refused
        return CallerIdentity(subject, claims)


def make_token(settings: Settings, subject: str, minutes: float, claims: Mapping[str, str]) -> str:
    """A token for trying, signed with the shared secret.

    Raises:
        SettingsError: There is no secret, or it would not be taken.
    """
    secret = settings.call_token_secret.get_secret_value()
    if not secret:
        raise SettingsError("CALL_TOKEN_SECRET: missing; set it to 32 random characters or more")
    if not 0 < 60 * minutes <= settings.call_token_max_secs:
        most = settings.call_token_max_secs / 60
        raise SettingsError(f"CALL_TOKEN_MAX_SECS: tokens for {minutes:g} minutes are not taken, but up to {most:g}")
    now = int(time.time())
    body: dict[str, Any] = {**claims, "sub": subject, "iat": now, "exp": now + round(60 * minutes)}
    if settings.call_token_audience:
        body["aud"] = settings.call_token_audience
    if settings.call_token_issuer:
        body["iss"] = settings.call_token_issuer
    return jwt.encode(body, secret, algorithm=SHARED_ALGORITHM)


def _public(pem: str) -> tuple[Any, list[str]]:
    """A public key, and the algorithms that belong to it."""
    key = load_pem_public_key(pem.encode())
    match key:
        case rsa.RSAPublicKey():
            return key, ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]
        case ec.EllipticCurvePublicKey():
            return key, {"secp256r1": ["ES256"], "secp384r1": ["ES384"], "secp521r1": ["ES512"]}[key.curve.name]
        case ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey():
            return key, ["EdDSA"]
    raise ValueError("no key that signs tokens")
