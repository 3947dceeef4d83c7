"""Large bodies at almost no cost to the machine: large_client.py HOST:PORT FILE CONNECTIONS SECONDS

FILE holds request heads separated by NUL, FILE.body the body (empty for GET). Uploads go out by sendfile(2), downloads
are thrown away inside the kernel (MSG_TRUNC), so nearly all processor time seen is the server's. Prints one JSON line.
"""
import json
import os
import socket
import sys
import threading
import time

address, path = sys.argv[1], sys.argv[2]
connections, seconds = int(sys.argv[3]), float(sys.argv[4])
host, port = address.rsplit(":", 1)
with open(path, "rb") as source:
    heads = [head for head in source.read().split(b"\0") if head]
body_size = os.path.getsize(path + ".body")
lock = threading.Lock()
finished = {"requests": 0, "bytes": 0, "errors": 0, "failure": "", "latencies": []}


def connect():
    link = socket.create_connection((host, int(port)), timeout=120)
    link.settimeout(None)  # sendfile(2) needs a blocking socket
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return link


def read_head(link):
    data = b""
    while b"\r\n\r\n" not in data:
        piece = link.recv(65536)
        if not piece:
            raise OSError("connection closed before the answer")
        data += piece
    head, rest = data.split(b"\r\n\r\n", 1)
    lines = head.split(b"\r\n")
    status = int(lines[0].split(b" ")[1])
    length = 0 if status == 204 else None
    last = False
    for line in lines[1:]:
        name, _, value = line.lower().partition(b":")
        if name == b"content-length":
            length = int(value)
        last = last or (name == b"connection" and value.strip() == b"close")
    if length is None:
        raise OSError("an answer without Content-Length")
    return status, length, len(rest), last


def exchange(link, head, body):
    link.sendall(head)
    sent = 0
    while sent < body_size:
        sent += os.sendfile(link.fileno(), body.fileno(), sent, body_size - sent)
    status, length, got, last = read_head(link)
    while got < length:
        # With MSG_TRUNC the kernel counts and drops the bytes; the buffer is never written beyond its size.
        dropped = link.recv_into(memoryview(large), min(length - got, len(large)), socket.MSG_TRUNC)
        if dropped == 0:
            raise OSError("connection closed inside the body")
        got += dropped
    return status, body_size or length, last


large = bytearray(1 << 20)


def work(number):
    link = connect()
    turn = number
    with open(path + ".body", "rb") as body:
        while time.monotonic() < end:
            begun = time.perf_counter()
            try:
                status, moved, last = exchange(link, heads[turn % len(heads)], body)
                if last:
                    link.close()
                    link = connect()
                good, failure = 200 <= status < 300, f"status {status}"
            except OSError as error:
                good, moved, failure = False, 0, str(error)
                link.close()
                link = connect()
            turn += 1
            with lock:
                finished["requests"] += 1
                finished["errors"] += 0 if good else 1
                if not good:
                    finished["failure"] = failure
                finished["bytes"] += moved if good else 0
                finished["latencies"].append(time.perf_counter() - begun)


begin = time.monotonic()
end = begin + seconds
threads = [threading.Thread(target=work, args=(number,)) for number in range(connections)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
latencies = sorted(finished.pop("latencies")) or [0]
finished["seconds"] = time.monotonic() - begin
finished["p50"] = latencies[len(latencies) // 2]
finished["p99"] = latencies[min(len(latencies) - 1, len(latencies) * 99 // 100)]
print(json.dumps(finished))
