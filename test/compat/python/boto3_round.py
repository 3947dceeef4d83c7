"""Unmodified boto3 against a running server: credentials from the container-credentials exchange, every S3 operation.

Environment: AWS_CONTAINER_CREDENTIALS_FULL_URI, AWS_CONTAINER_AUTHORIZATION_TOKEN, S3_URL, ORG_ID, PRINCIPAL.
Each check that passes is a line `ok NAME`; the first that fails ends the run with a traceback.
"""

import base64
import datetime
import hashlib
import io
import json
import os
import socket
import threading
import urllib.error
import urllib.request
import zlib

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

S3_URL = os.environ["S3_URL"]
MIB = 1024 * 1024
AWKWARD_KEY = "päth/ünï cödé/a+b & c=d?e#f%25/😀/..//x y.txt"

# `<bucket>.localhost` resolves in curl and browsers but not in glibc.
resolve = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **named: resolve(
    "127.0.0.1" if isinstance(host, str) and host.endswith(".localhost") else host, *rest, **named
)


def connect(style, **config):
    url = S3_URL if style == "path" else S3_URL.replace("127.0.0.1", "localhost")
    s3 = {"addressing_style": style, **config.pop("s3", {})}
    return boto3.client(
        "s3",
        endpoint_url=url,
        region_name="US-EAST-04A",
        config=Config(s3=s3, retries={"total_max_attempts": 1}, **config),
    )


def refused(call, status, code):
    try:
        call()
    except ClientError as error:
        answer = error.response
        found = (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"])
        assert found == (status, code), f"{found} instead of {(status, code)}: {answer['Error'].get('Message')}"
        return
    raise AssertionError(f"not refused; expected {status} {code}")


def credentials():
    found = boto3.Session().get_credentials()
    assert found.method == os.environ.get("CREDENTIALS_FROM", "container-role"), found.method
    frozen = found.get_frozen_credentials()
    assert len(frozen.access_key) == 16 and frozen.access_key.startswith("CW"), frozen.access_key
    assert len(frozen.secret_key) == 43 and frozen.secret_key.startswith("cwo")
    assert not frozen.token


def buckets(s3, bucket):
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "US-EAST-04A"})
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "US-EAST-04A"})
    s3.head_bucket(Bucket=bucket)
    assert s3.get_bucket_location(Bucket=bucket)["LocationConstraint"] == "US-EAST-04A"
    assert bucket in [entry["Name"] for entry in s3.list_buckets()["Buckets"]]
    paged = list(s3.get_paginator("list_buckets").paginate(PaginationConfig={"PageSize": 1}))
    assert all(len(page["Buckets"]) == 1 for page in paged)
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    refused(
        lambda: s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "US-WEST-04A"}),
        409,
        "BucketAlreadyOwnedByYou",
    )


def objects(s3, bucket):
    key = AWKWARD_KEY
    put = s3.put_object(
        Bucket=bucket,
        Key=key,
        Body=b"hello world",
        ContentType="text/plain",
        ContentEncoding="identity",
        Metadata={"colour": "blue"},
    )
    assert put["ETag"] == '"' + hashlib.md5(b"hello world").hexdigest() + '"'
    head = s3.head_object(Bucket=bucket, Key=key)
    assert (head["ContentLength"], head["ContentType"], head["Metadata"]) == (11, "text/plain", {"colour": "blue"})
    age = datetime.datetime.now(datetime.timezone.utc) - head["LastModified"]
    assert abs(age.total_seconds()) < 120
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"hello world"
    part = s3.get_object(Bucket=bucket, Key=key, Range="bytes=6-")
    assert (part["Body"].read(), part["ContentRange"]) == (b"world", "bytes 6-10/11")
    s3.copy_object(Bucket=bucket, Key="copied", CopySource={"Bucket": bucket, "Key": key})
    assert s3.head_object(Bucket=bucket, Key="copied")["Metadata"] == {"colour": "blue"}
    s3.copy_object(
        Bucket=bucket,
        Key="copied",
        CopySource={"Bucket": bucket, "Key": key},
        MetadataDirective="REPLACE",
        Metadata={"colour": "red"},
    )
    assert s3.head_object(Bucket=bucket, Key="copied")["Metadata"] == {"colour": "red"}
    s3.delete_object(Bucket=bucket, Key="copied")
    s3.delete_object(Bucket=bucket, Key="never there")
    refused(lambda: s3.get_object(Bucket=bucket, Key="copied"), 404, "NoSuchKey")
    refused(lambda: s3.head_object(Bucket=bucket, Key="copied"), 404, "404")
    s3.delete_object(Bucket=bucket, Key=key)


def listings(s3, bucket):
    keys = sorted(["a/1", "a/2", "b/1", "c", "d e&f<>", "z\u00e9"])
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    grouped = s3.list_objects_v2(Bucket=bucket, Delimiter="/")
    assert [entry["Prefix"] for entry in grouped["CommonPrefixes"]] == ["a/", "b/"]
    for operation in ["list_objects", "list_objects_v2"]:
        pages = list(s3.get_paginator(operation).paginate(Bucket=bucket, PaginationConfig={"PageSize": 2}))
        assert [entry["Key"] for page in pages for entry in page["Contents"]] == keys, operation
        assert len(pages) == 3
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket, Prefix="a/")["Contents"]] == ["a/1", "a/2"]
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys]})
    assert sorted(entry["Key"] for entry in answer["Deleted"]) == keys
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


class Unseekable(io.RawIOBase):
    """A body whose length nobody knows before its end."""

    def __init__(self, data):
        super().__init__()
        self.source = io.BytesIO(data)

    def readable(self):
        return True

    def readinto(self, buffer):
        return self.source.readinto(buffer)


def transfers(s3, bucket):
    data = b"".join(hashlib.sha256(str(index).encode()).digest() * 32768 for index in range(64))
    assert len(data) == 64 * MIB
    config = TransferConfig(multipart_threshold=8 * MIB, multipart_chunksize=8 * MIB, max_concurrency=4)
    seen = []
    lock = threading.Lock()

    def progress(count):
        with lock:
            seen.append(count)

    s3.upload_fileobj(io.BytesIO(data), bucket, "large", Config=config, Callback=progress)
    assert sum(seen) == len(data)
    head = s3.head_object(Bucket=bucket, Key="large")
    assert head["ContentLength"] == len(data) and head["ETag"].endswith('-8"')
    back = io.BytesIO()
    s3.download_fileobj(bucket, "large", back, Config=config)
    assert hashlib.sha256(back.getvalue()).digest() == hashlib.sha256(data).digest()
    body = s3.get_object(Bucket=bucket, Key="large")["Body"]
    streamed = hashlib.sha256()
    for chunk in body.iter_chunks(MIB):
        streamed.update(chunk)
    assert streamed.digest() == hashlib.sha256(data).digest()
    s3.copy({"Bucket": bucket, "Key": "large"}, bucket, "large-copy", Config=config)
    assert s3.head_object(Bucket=bucket, Key="large-copy")["ContentLength"] == len(data)
    s3.upload_fileobj(Unseekable(data[: 9 * MIB]), bucket, "unseekable", Config=config)
    assert s3.head_object(Bucket=bucket, Key="unseekable")["ContentLength"] == 9 * MIB
    for key in ["large", "large-copy", "unseekable"]:
        s3.delete_object(Bucket=bucket, Key=key)


def multipart(s3, bucket):
    key = "by/hand"
    upload = s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    s3.put_object(Bucket=bucket, Key="source", Body=b"s" * 5 * MIB)
    first = s3.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=1, Body=b"p" * 5 * MIB)
    second = s3.upload_part_copy(
        Bucket=bucket, Key=key, UploadId=upload, PartNumber=2, CopySource={"Bucket": bucket, "Key": "source"}
    )
    assert [part["PartNumber"] for part in s3.list_parts(Bucket=bucket, Key=key, UploadId=upload)["Parts"]] == [1, 2]
    assert [entry["Key"] for entry in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [key]
    s3.complete_multipart_upload(
        Bucket=bucket,
        Key=key,
        UploadId=upload,
        MultipartUpload={
            "Parts": [
                {"PartNumber": 1, "ETag": first["ETag"]},
                {"PartNumber": 2, "ETag": second["CopyPartResult"]["ETag"]},
            ]
        },
    )
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == b"p" * 5 * MIB + b"s" * 5 * MIB
    other = s3.create_multipart_upload(Bucket=bucket, Key="left")["UploadId"]
    for name in [key, "source"]:
        s3.delete_object(Bucket=bucket, Key=name)
    refused(lambda: s3.delete_bucket(Bucket=bucket), 409, "BucketNotEmpty")
    s3.abort_multipart_upload(Bucket=bucket, Key="left", UploadId=other)
    refused(lambda: s3.list_parts(Bucket=bucket, Key="left", UploadId=other), 404, "NoSuchUpload")


def checksums(s3, bucket):
    data = b"some bytes to be summed"
    for algorithm in ["CRC32", "SHA1", "SHA256"]:
        field = "Checksum" + algorithm
        put = s3.put_object(Bucket=bucket, Key=algorithm, Body=data, ChecksumAlgorithm=algorithm)
        got = s3.get_object(Bucket=bucket, Key=algorithm, ChecksumMode="ENABLED")
        assert got["Body"].read() == data and got[field] == put[field]
    expected = base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()
    assert s3.head_object(Bucket=bucket, Key="CRC32", ChecksumMode="ENABLED")["ChecksumCRC32"] == expected
    # botocore sums these two only with an optional native library; given values travel as they are.
    known = {"CRC32C": crc(data, 0x82F63B78, 32), "CRC64NVME": crc(data, 0x9A6C9329AC4BC9B5, 64)}
    for algorithm, value in known.items():
        field = "Checksum" + algorithm
        s3.put_object(Bucket=bucket, Key=algorithm, Body=data, **{field: value})
        assert s3.head_object(Bucket=bucket, Key=algorithm, ChecksumMode="ENABLED")[field] == value
    for field, length in [("CRC32", 4), ("CRC32C", 4), ("CRC64NVME", 8), ("SHA1", 20), ("SHA256", 32)]:
        wrong = {"Checksum" + field: base64.b64encode(bytes(length)).decode()}
        refused(lambda: s3.put_object(Bucket=bucket, Key="wrong", Body=data, **wrong), 400, "BadDigest")
    refused(
        lambda: s3.put_object(Bucket=bucket, Key="wrong", Body=data, ContentMD5=base64.b64encode(bytes(16)).decode()),
        400,
        "BadDigest",
    )
    refused(lambda: s3.head_object(Bucket=bucket, Key="wrong"), 404, "404")
    for key in ["CRC32", "SHA1", "SHA256", *known]:
        s3.delete_object(Bucket=bucket, Key=key)


def crc(data, polynomial, width):
    """Reflected CRC with all ones in and out, base64 of the big-endian value: an oracle that shares no code with us."""
    ones = (1 << width) - 1
    value = ones
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (polynomial if value & 1 else 0)
    return base64.b64encode((value ^ ones).to_bytes(width // 8, "big")).decode()


def payload_forms(bucket):
    """Every way in which botocore signs a body."""
    forms = {
        "signed": {"s3": {"payload_signing_enabled": True}},
        "unsigned": {"s3": {"payload_signing_enabled": False}},
        "when_required": {"request_checksum_calculation": "when_required"},
    }
    for name, config in forms.items():
        for body in [b"", b"x" * 70_000, io.BytesIO(b"y" * 200_000)]:
            s3 = connect("path", **{key: dict(value) if isinstance(value, dict) else value for key, value in config.items()})
            s3.put_object(Bucket=bucket, Key="form", Body=body)
            expected = body.getvalue() if isinstance(body, io.BytesIO) else body
            assert s3.get_object(Bucket=bucket, Key="form")["Body"].read() == expected, name
    s3.delete_object(Bucket=bucket, Key="form")


def conditions(s3, bucket):
    first = s3.put_object(Bucket=bucket, Key="c", Body=b"1", IfNoneMatch="*")["ETag"]
    refused(lambda: s3.put_object(Bucket=bucket, Key="c", Body=b"2", IfNoneMatch="*"), 412, "PreconditionFailed")
    s3.put_object(Bucket=bucket, Key="c", Body=b"2", IfMatch=first)
    refused(lambda: s3.put_object(Bucket=bucket, Key="c", Body=b"3", IfMatch=first), 412, "PreconditionFailed")
    refused(lambda: s3.get_object(Bucket=bucket, Key="c", IfMatch=first), 412, "PreconditionFailed")
    current = s3.head_object(Bucket=bucket, Key="c")["ETag"]
    refused(lambda: s3.get_object(Bucket=bucket, Key="c", IfNoneMatch=current), 304, "304")
    s3.delete_object(Bucket=bucket, Key="c")


def fetch(url, method="GET", data=None, headers=None):
    request = urllib.request.Request(url, method=method, data=data, headers=headers or {})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def presigned(style, bucket):
    signer = connect(style, signature_version="s3v4")
    key = "by url/ü"
    put = signer.generate_presigned_url("put_object", {"Bucket": bucket, "Key": key}, ExpiresIn=60)
    assert fetch(put, "PUT", b"by url")[0] == 200
    get = signer.generate_presigned_url("get_object", {"Bucket": bucket, "Key": key}, ExpiresIn=60)
    assert fetch(get) == (200, b"by url")
    assert fetch(get, headers={"Range": "bytes=3-"}) == (206, b"url")
    status, body = fetch(get.replace("by%20url", "my%20url"))
    assert status == 403 and b"SignatureDoesNotMatch" in body, body
    named = signer.generate_presigned_url(
        "get_object", {"Bucket": bucket, "Key": key, "ResponseContentType": "application/x-test"}, ExpiresIn=60
    )
    with urllib.request.urlopen(named) as answer:
        assert answer.headers["Content-Type"] == "application/x-test"
    signer.delete_object(Bucket=bucket, Key=key)


def policies(s3, bucket):
    refused(lambda: s3.get_bucket_policy(Bucket=bucket), 404, "NoSuchBucketPolicy")
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": [f"arn:aws:iam::{os.environ['ORG_ID']}:{os.environ['PRINCIPAL']}"]},
        "Action": ["s3:*"],
        "Resource": "arn:aws:s3:::*",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    s3.put_bucket_policy(Bucket=bucket, Policy=document)
    assert json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"]) == json.loads(document)
    s3.delete_bucket_policy(Bucket=bucket)
    refused(lambda: s3.put_bucket_policy(Bucket=bucket, Policy='{"Statement": 1}'), 400, "MalformedPolicy")


def refusals(s3, bucket):
    refused(lambda: s3.list_objects_v2(Bucket="boto-nowhere"), 404, "NoSuchBucket")
    refused(lambda: s3.head_bucket(Bucket="boto-nowhere"), 404, "404")
    refused(lambda: s3.create_bucket(Bucket="xn--reserved"), 400, "InvalidBucketName")
    refused(lambda: s3.get_bucket_acl(Bucket=bucket), 501, "NotImplemented")
    refused(lambda: s3.get_bucket_cors(Bucket=bucket), 501, "NotImplemented")


def check(name, call, *arguments):
    call(*arguments)
    print(f"ok {name}", flush=True)


def main():
    check("container credentials", credentials)
    for style in ["path", "virtual"]:
        s3 = connect(style)
        bucket = f"boto-{style}"
        check(f"{style}: buckets", buckets, s3, bucket)
        check(f"{style}: objects", objects, s3, bucket)
        check(f"{style}: listings", listings, s3, bucket)
        check(f"{style}: multipart", multipart, s3, bucket)
        check(f"{style}: presigned", presigned, style, bucket)
        check(f"{style}: policies", policies, s3, bucket)
        if style == "path":
            check("transfers of 64 MiB", transfers, s3, bucket)
            check("checksums", checksums, s3, bucket)
            check("payload forms", payload_forms, bucket)
            check("conditions", conditions, s3, bucket)
            check("refusals", refusals, s3, bucket)
        check(f"{style}: bucket deleted", lambda: s3.delete_bucket(Bucket=bucket))
    print("all ok", flush=True)


main()
