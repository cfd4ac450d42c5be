"""A worker in Python, written from the .proto files alone: protobuf for the messages, ssl for the connection.

    python3 peer.py HOST PORT DIRECTORY    # with ca.pem, certificate.pem and key.pem in DIRECTORY

It "trains" by sending an update of small constants, and checks that it gets a receipt in each round.
"""
import hashlib
import json
import socket
import ssl
import struct
import subprocess
import sys
import time

from kumiai.v1 import update_pb2, wire_pb2

host, port, directory = sys.argv[1], int(sys.argv[2]), sys.argv[3]


class Connection:
    def __init__(self, purpose):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.check_hostname = False  # the identity is a SPIFFE URI, not a host name
        context.load_verify_locations(f"{directory}/ca.pem")
        context.load_cert_chain(f"{directory}/certificate.pem", f"{directory}/key.pem")
        self.stream = context.wrap_socket(socket.create_connection((host, port)))
        self.next_id = 0
        self.unasked = []
        hello = wire_pb2.Hello(minimum_version=1, maximum_version=1, purpose=purpose, software="peer.py")
        self.welcome = self.ask(hello=hello).welcome

    def send(self, **body):
        self.next_id += 1
        data = wire_pb2.ClientMessage(id=self.next_id, **body).SerializeToString()
        length, prefix = len(data), b""
        while length >= 0x80:
            prefix, length = prefix + bytes([length & 0x7F | 0x80]), length >> 7
        self.stream.sendall(prefix + bytes([length]) + data)
        return self.next_id

    def exactly(self, count):
        data = b""
        while len(data) < count:
            piece = self.stream.recv(count - len(data))
            if not piece:
                raise EOFError("the coordinator closed the connection")
            data += piece
        return data

    def receive(self):
        length = shift = 0
        while True:
            byte = self.exactly(1)[0]
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return wire_pb2.ServerMessage.FromString(self.exactly(length))

    def ask(self, **body):
        number = self.send(**body)
        while True:
            message = self.receive()
            if message.in_reply_to == number:
                if message.HasField("refusal"):
                    raise RuntimeError(message.refusal.message)
                return message
            self.unasked.append(message)

    def assignment(self):
        return (self.unasked.pop(0) if self.unasked else self.receive()).assignment


def fetch(digest, size):
    bulk, data = Connection(wire_pb2.BULK), b""
    bulk.send(fetch_blob=wire_pb2.FetchBlob(digest=digest))
    assert bulk.receive().blob_start.bytes == size
    while len(data) < size:
        chunk = bulk.receive().blob_chunk
        assert chunk.offset == len(data)
        data += chunk.data
    assert hashlib.sha256(data).digest() == digest
    return data


def make_update(model, round):
    length = struct.unpack("<Q", model[:8])[0]
    header = json.loads(model[8 : 8 + length])
    header.pop("__metadata__")
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    values = (len(model) - 8 - length) // 4
    return struct.pack("<Q", len(text)) + text + struct.pack("<f", round * 1e-4) * values


def upload(digest, data):
    bulk = Connection(wire_pb2.BULK)
    progress = bulk.ask(offer_blob=wire_pb2.OfferBlob(digest=digest, bytes=len(data))).blob_progress
    offset = progress.durable_bytes
    while offset < len(data):
        piece = data[offset : offset + bulk.welcome.chunk_bytes]
        bulk.send(blob_chunk=wire_pb2.BlobChunk(offset=offset, data=piece))
        offset += len(piece)
    while not progress.complete:
        progress = bulk.receive().blob_progress


def sign(manifest):
    statement = b"kumiai update v1\n" + manifest
    command = ["openssl", "dgst", "-sha256", "-sign", f"{directory}/key.pem"]
    signature = subprocess.run(command, input=statement, capture_output=True, check=True).stdout
    certificate = ssl.PEM_cert_to_DER_cert(open(f"{directory}/certificate.pem").read())
    return update_pb2.SignedUpdate(manifest=manifest, signature=signature, certificate=certificate)


control, receipts, done = Connection(wire_pb2.CONTROL), 0, set()
while True:
    assignment = control.assignment()
    if assignment.HasField("finished"):
        break
    if not assignment.HasField("train"):
        control.ask(heartbeat=wire_pb2.Heartbeat(activity=wire_pb2.WAITING))
        continue
    train = assignment.train
    if (train.round, train.attempt) in done:  # assignments are repeated when anything changes
        continue
    update = make_update(fetch(train.model_digest, train.model_bytes), train.round)
    digest = hashlib.sha256(update).digest()
    upload(digest, update)
    manifest = update_pb2.UpdateManifest(
        campaign=train.campaign, round=train.round, attempt=train.attempt, site="bolt/turin", model_digest=train.model_digest,
        update_digest=digest, update_bytes=len(update), layout_digest=train.layout_digest, samples=10, local_loss=0.5,
        created_at_ms=int(time.time() * 1000)).SerializeToString()
    answer = control.ask(submit_update=wire_pb2.SubmitUpdate(update=sign(manifest))).update_answer
    if not answer.HasField("receipt"):
        raise RuntimeError(f"refused: {answer.refusal}")
    receipts += 1
    done.add((train.round, train.attempt))
print("receipts", receipts)
