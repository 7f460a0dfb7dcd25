"""A company's sign-in service, as far as the product sees one: tokens, and a key set behind an address."""

from __future__ import annotations

import json
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

NAME = "https://login.corp.example/"
AUDIENCE = "baobei-portal"


class SigningKey:
    """One key pair: `RS256` or `ES256`."""

    def __init__(self, algorithm: str) -> None:
        self.algorithm = algorithm
        self.id = uuid.uuid4().hex
        self.private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
        if algorithm == "RS256":
            self.private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            public = json.loads(RSAAlgorithm.to_jwk(self.private.public_key()))
        else:
            self.private = ec.generate_private_key(ec.SECP256R1())
            public = json.loads(ECAlgorithm.to_jwk(self.private.public_key()))
        self.jwk: dict[str, Any] = {**public, "kid": self.id, "use": "sig", "alg": algorithm}

    def token(self, login: str, **claims: Any) -> str:
        now = int(time.time())
        said = {"iss": NAME, "aud": AUDIENCE, "sub": login, "iat": now, "exp": now + 3600} | claims
        return jwt.encode(said, self.private, algorithm=self.algorithm, headers={"kid": self.id})


class Issuer:
    """Serves the key set on the loopback address; `keys` and `status` may change at any time, and it answers nobody
    while `answers` is not set."""

    def __init__(self, *keys: SigningKey) -> None:
        self.keys = list(keys)
        self.fetched = 0
        self.status = 200
        self.answers = threading.Event()
        self.answers.set()
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.fetched += 1
                body = json.dumps({"keys": [key.jwk for key in issuer.keys]}).encode()
                issuer.answers.wait()
                self.send_response(issuer.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Silent."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    @property
    def jwks_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/jwks.json"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.answers.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
