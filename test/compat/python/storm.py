"""How often does unmodified boto3 ask for credentials, and how many keys does that make?

Environment: AWS_CONTAINER_CREDENTIALS_FULL_URI, AWS_CONTAINER_AUTHORIZATION_TOKEN. A forwarder in between counts the
fetches. Prints {"resolutions", "fetches", "accessKeys"} for one session that signs 100 times, then for 100 sessions.
"""

import http.server
import json
import os
import threading
import urllib.request

import boto3

TARGET = os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
fetches = 0


class Forwarder(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        global fetches
        fetches += 1
        headers = {name: self.headers[name] for name in ["Authorization", "Accept"] if name in self.headers}
        with urllib.request.urlopen(urllib.request.Request(TARGET, headers=headers)) as answer:
            body = answer.read()
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.headers["Content-Type"])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_arguments):
        pass


def measure(resolve, count):
    global fetches
    fetches = 0
    keys = {resolve() for _ in range(count)}
    return {"resolutions": count, "fetches": fetches, "accessKeys": sorted(keys)}


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Forwarder)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = f"http://127.0.0.1:{server.server_port}/credentials"
    session = boto3.Session()
    # Loading the credentials is part of the first resolution: it fetches too.
    one = measure(lambda: session.get_credentials().get_frozen_credentials().access_key, 100)
    many = measure(lambda: boto3.Session().get_credentials().get_frozen_credentials().access_key, 100)
    print(json.dumps({"oneSession": one, "manySessions": many}))


main()
