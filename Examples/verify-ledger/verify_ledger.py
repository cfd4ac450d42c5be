#!/usr/bin/env python3
"""Verifies a copy of a Kumiai ledger without any code of Kumiai.

    python3 verify_ledger.py COPY --ca ca.pem [--receipt FILE ...]

COPY is a copy of the coordinator's data directory: ledger.sqlite, ledger.sqlite-wal where there is one, and
ledger.seal where the coordinator was stopped. ca.pem holds the CA certificate that you trust.
Needs Python 3.9 and the command `openssl` 3.0, as in Debian 12; no Python package.
Exit code: 0 where everything holds, 1 where something does not, 2 for wrong usage or a file that cannot be read.
"""
import argparse
import base64
import hashlib
import os
import re
import shutil
import sqlite3
import ssl
import subprocess
import sys
import tempfile


class Wrong(Exception):
    """What does not hold."""


def require(condition, message):
    if not condition:
        raise Wrong(message)


# ---- Protocol Buffers: enough of the encoding to find fields ----

def varint(data, at):
    value, shift = 0, 0
    while True:
        require(at < len(data) and shift < 64, "a protobuf message is cut off")
        byte = data[at]
        value, shift, at = value | (byte & 0x7F) << shift, shift + 7, at + 1
        if byte < 0x80:
            return value, at


def fields(message):
    """The fields as (number, value): integers, and the bytes of everything else."""
    found, at = [], 0
    while at < len(message):
        key, at = varint(message, at)
        if key & 7 == 0:
            value, at = varint(message, at)
        else:
            require(key & 7 in (1, 2, 5), "a protobuf message has an unknown wire type")
            size, at = varint(message, at) if key & 7 == 2 else ({1: 8, 5: 4}[key & 7], at)
            value, at = message[at:at + size], at + size
            require(at <= len(message), "a protobuf message is cut off")
        found.append((key >> 3, value))
    return found


# ---- The tree of RFC 6962 and RFC 9162 ----

def sha256(data):
    return hashlib.sha256(data).digest()


def node(left, right):
    return sha256(b"\x01" + left + right)


def tree_root(leaves):
    """The root over leaf hashes: complete subtrees are joined as they arise, the rest from the right."""
    stack = []
    for leaf in leaves:
        size, hash_ = 1, leaf
        while stack and stack[-1][0] == size:
            size, hash_ = 2 * size, node(stack.pop()[1], hash_)
        stack.append((size, hash_))
    if not stack:
        return sha256(b"")
    hash_ = stack.pop()[1]
    while stack:
        hash_ = node(stack.pop()[1], hash_)
    return hash_


def is_included(leaf, index, size, proof, root):
    """RFC 9162, 2.1.3.2."""
    if index >= size:
        return False
    place, last, hash_ = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            hash_ = node(sibling, hash_)
            while place and not place & 1:
                place, last = place >> 1, last >> 1
        else:
            hash_ = node(hash_, sibling)
        place, last = place >> 1, last >> 1
    return last == 0 and hash_ == root


# ---- Signatures, by the command openssl ----

class OpenSSL:
    def __init__(self, scratch):
        self.scratch = scratch

    def file(self, name, data):
        path = os.path.join(self.scratch, name)
        with open(path, "wb") as file:
            file.write(data)
        return path

    @staticmethod
    def run(*arguments):
        done = subprocess.run(["openssl", *arguments], capture_output=True, check=False)
        return done.returncode == 0, done.stdout.decode(errors="replace")

    def ed25519(self, raw_key, message, signature):
        require(len(raw_key) == 32, "the log key is not an Ed25519 key")
        # The SubjectPublicKeyInfo of an Ed25519 key is these 12 bytes and the key.
        key = self.file("log.der", bytes.fromhex("302a300506032b6570032100") + raw_key)
        return self.run("pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", key, "-rawin",
                        "-in", self.file("message", message), "-sigfile", self.file("signature", signature))[0]

    def ecdsa(self, certificate, message, signature):
        ok, key = self.run("x509", "-inform", "DER", "-in", certificate, "-pubkey", "-noout")
        return ok and self.run("dgst", "-sha256", "-verify", self.file("key.pem", key.encode()),
                               "-signature", self.file("signature", signature), self.file("message", message))[0]


# ---- The ledger ----

def read_ledger(directory, scratch):
    """The entries' bytes, their stored leaf hashes, and the newest tree head. SQLite works on a copy of the copy."""
    os.listdir(directory)  # If there is no such directory, the error names it, and not a file in it.
    shutil.copy(os.path.join(directory, "ledger.sqlite"), scratch)
    if os.path.exists(os.path.join(directory, "ledger.sqlite-wal")):
        shutil.copy(os.path.join(directory, "ledger.sqlite-wal"), scratch)
    database = sqlite3.connect(f"file:{os.path.join(scratch, 'ledger.sqlite')}?mode=rw", uri=True)
    database.text_factory = bytes
    names = [name.decode() for (name,) in database.execute("SELECT name FROM sqlite_master ORDER BY name")]
    require(names == ["entries", "tree_heads"], f"the file holds {names}, and not the two tables of a ledger")
    rows = database.execute("SELECT position, bytes, leaf FROM entries ORDER BY position").fetchall()
    heads = database.execute("SELECT id, note FROM tree_heads").fetchall()
    database.close()
    require([row[0] for row in rows] == list(range(len(rows))), "an entry is missing")
    require(rows and len(heads) == 1 and heads[0][0] == 1, "the ledger is empty, or has no tree head")
    return [row[1] for row in rows], [row[2] for row in rows], heads[0][1].decode()


def founding(entry, ca_file, openssl):
    """Follows the trust from the CA to the log key; returns the consortium and the log key."""
    entry = dict(fields(entry))
    require(2 in entry, "the first entry is not the founding")
    found = dict(fields(entry[2]))
    consortium, ca_digest, log_key, certificate, signature = (found.get(number, b"") for number in range(1, 6))
    with open(ca_file, encoding="ascii") as file:
        authorities = re.findall("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", file.read(), re.DOTALL)
    digests = {sha256(ssl.PEM_cert_to_DER_cert(pem)): pem for pem in authorities}
    require(ca_digest in digests, "the ledger was founded under another CA")
    consortium = consortium.decode()
    path = openssl.file("coordinator.der", certificate)
    held, _ = openssl.run("verify", "-CAfile", openssl.file("ca.pem", digests[ca_digest].encode()),
                          "-attime", str(entry[1] // 1000), path)
    require(held, "the coordinator's certificate was not issued by the CA, or did not hold at the founding")
    _, names = openssl.run("x509", "-inform", "DER", "-in", path, "-noout", "-ext", "subjectAltName")
    require(re.search(rf"URI:spiffe://{re.escape(consortium)}/coordinator/[A-Za-z0-9._-]+\s*$", names),
            "the certificate is not that of a coordinator of this consortium")
    require(openssl.ecdsa(path, b"kumiai log key v1\n" + log_key, signature),
            "the coordinator's signature of the log key is wrong")
    return consortium, log_key


def read_head(note, origin, log_key, openssl):
    """Checks a tree head, a C2SP checkpoint in a signed note; returns size, root and time (None in old ledgers)."""
    body, _, signatures = note.partition("\n\n")
    body += "\n"
    lines = body.splitlines()
    require(len(lines) in (3, 4) and lines[0] == origin, "the tree head is not one of this ledger")
    prefix = f"\u2014 {origin} "
    require(signatures.startswith(prefix) and signatures.endswith("\n") and signatures.count("\n") == 1,
            "the tree head does not have one signature by the log key")
    blob = base64.b64decode(signatures[len(prefix):].strip(), validate=True)
    key_id = sha256(origin.encode() + b"\n\x01" + log_key)[:4]
    require(len(blob) == 68 and blob[:4] == key_id, "the tree head names another key")
    require(openssl.ed25519(log_key, body.encode(), blob[4:]), "the signature of the tree head is wrong")
    time = int(lines[3].removeprefix("time ")) if len(lines) == 4 else None
    return int(lines[1]), base64.b64decode(lines[2], validate=True), time


def check_seal(directory, origin, size, log_key, openssl):
    """A seal covers every byte of the file, also those that no entry uses. Returns whether there is one."""
    path = os.path.join(directory, "ledger.seal")
    if not os.path.exists(path):
        return False
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    with open(os.path.join(directory, "ledger.sqlite"), "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()
    require(len(lines) == 6 and lines[0] == "kumiai ledger seal v1" and lines[1] == origin, "the seal is not a seal")
    require(openssl.ed25519(log_key, ("\n".join(lines[:4]) + "\n").encode(), bytes.fromhex(lines[4])),
            "the signature of the seal is wrong")
    require(lines[2] == str(size) and lines[3] == digest, "the file was changed after it was sealed")
    return True


def check_receipt(path, leaves, origin, log_key, openssl):
    """A receipt must hold in itself, and its tree head must be one that this ledger had."""
    with open(path, "rb") as file:
        parts = fields(file.read())
    receipt = dict(parts)
    index, leaf = receipt.get(1, 0), sha256(b"\x00" + receipt[2])
    size, root, _ = read_head(receipt[4].decode(), origin, log_key, openssl)
    require(is_included(leaf, index, size, [value for number, value in parts if number == 3], root),
            f"{path}: the proof does not lead to the tree head")
    require(size <= len(leaves) and tree_root(leaves[:size]) == root and leaves[index] == leaf,
            f"{path}: this ledger has another history than the receipt")


def verify(arguments, scratch):
    openssl = OpenSSL(scratch)
    entries, stored, note = read_ledger(arguments.copy, scratch)
    leaves = [sha256(b"\x00" + entry) for entry in entries]
    for index, (leaf, kept) in enumerate(zip(leaves, stored)):
        require(leaf == kept, f"entry {index} was changed")
    consortium, log_key = founding(entries[0], arguments.ca, openssl)
    origin = f"{consortium}/ledger"
    size, root, time = read_head(note, origin, log_key, openssl)
    require(size == len(entries), f"the tree head is over {size} entries, and {len(entries)} are here")
    require(root == tree_root(leaves), "the entries are not those of the tree head")
    require(time is None or time == max(dict(fields(entry)).get(1, 0) for entry in entries),
            "the time of the tree head is not that of the newest entry")
    sealed = check_seal(arguments.copy, origin, size, log_key, openssl)
    for path in arguments.receipt:
        check_receipt(path, leaves, origin, log_key, openssl)
    print(f"{origin}: {size} entries, root {root.hex()}")
    print(f"tree head signed by the log key; {'sealed' if sealed else 'no seal'}; {len(arguments.receipt)} receipts")


def main():
    # The usage that argparse would make names COPY last, where --receipt would take it for a receipt.
    parser = argparse.ArgumentParser(description="Verifies a copy of a Kumiai ledger.",
                                     usage="%(prog)s [-h] COPY --ca FILE [--receipt FILE [FILE ...]]")
    parser.add_argument("copy", metavar="COPY", help="a copy of the coordinator's data directory")
    parser.add_argument("--ca", required=True, metavar="FILE", help="the CA certificate that you trust, PEM")
    parser.add_argument("--receipt", nargs="+", action="extend", default=[], metavar="FILE",
                        help="receipts that a site holds; may be repeated")
    arguments = parser.parse_args()
    if shutil.which("openssl") is None:
        parser.error("the command openssl is missing")
    try:
        with tempfile.TemporaryDirectory() as scratch:
            verify(arguments, scratch)
    except OSError as error:
        # Nothing was found to be wrong, but something could not be looked at.
        print(f"cannot read {error.filename or 'a file'}: {error.strerror or error}", file=sys.stderr)
        return 2
    except (Wrong, sqlite3.Error, ValueError, KeyError, TypeError, AttributeError) as error:
        print(f"NOT VERIFIED: {error or type(error).__name__}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
