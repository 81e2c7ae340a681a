# SPDX-License-Identifier: ISC
"""The client's side of PLAIN, LOGIN and SCRAM-SHA-256 (RFC 5802, RFC 7677), for `auth` steps."""
import base64
import hashlib
import hmac
import os


def plain(user, password):
    yield f"\0{user}\0{password}".encode()


def login(user, password):
    yield None
    yield user.encode()
    yield password.encode()


def scram_sha_256(user, password):
    nonce = base64.b64encode(os.urandom(18)).decode()
    first = f"n={user.replace('=', '=3D').replace(',', '=2C')},r={nonce}"
    challenge = yield ("n,," + first).encode()
    fields = dict(part.split("=", 1) for part in challenge.decode().split(","))
    assert fields["r"].startswith(nonce) and len(fields["r"]) > len(nonce)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(fields["s"]),
                                 int(fields["i"]))
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    final = f"c=biws,r={fields['r']}"
    whole = ",".join([first, challenge.decode(), final]).encode()
    signature = hmac.digest(hashlib.sha256(client_key).digest(), whole, "sha256")
    proof = bytes(a ^ b for a, b in zip(client_key, signature))
    challenge = yield f"{final},p={base64.b64encode(proof).decode()}".encode()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    expected = base64.b64encode(hmac.digest(server_key, whole, "sha256"))
    assert challenge == b"v=" + expected, "the server's signature is wrong"
    yield b""


MECHANISMS = {"PLAIN": plain, "LOGIN": login, "SCRAM-SHA-256": scram_sha_256}


def make(mechanism, user, password):
    return mechanism, MECHANISMS[mechanism](user, password)


def smtp(conversation, client):
    """Runs the exchange of RFC 4954 §4; returns the code of the last reply."""
    mechanism, exchange = client
    initial = next(exchange)
    line = f"AUTH {mechanism}"
    if initial is not None:
        line += " " + (base64.b64encode(initial).decode() or "=")
    conversation.send(line.encode() + b"\r\n")
    while True:
        reply = conversation.read_smtp_reply()[-1]
        if not reply.startswith("334"):
            return reply[:3]
        response = exchange.send(base64.b64decode(reply[4:]))
        conversation.send(base64.b64encode(response) + b"\r\n")


def pop3(conversation, client):
    """Runs the exchange of RFC 5034 §4; returns the last line."""
    mechanism, exchange = client
    initial = next(exchange)
    line = f"AUTH {mechanism}"
    if initial is not None:
        line += " " + (base64.b64encode(initial).decode() or "=")
    conversation.send(line.encode() + b"\r\n")
    while True:
        reply = conversation.read_line()
        if not reply.startswith("+ "):
            return reply
        response = exchange.send(base64.b64decode(reply[2:]))
        conversation.send(base64.b64encode(response) + b"\r\n")
