"""As much of S3 as pyarrow asks for, on 127.0.0.1: objects in memory, and which requests were made."""

import io
import re
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape


def unchunked(file):
    content = b""
    while size := int(file.readline().split(b";")[0], 16):
        content += file.read(size)
        file.readline()
    while file.readline().strip():
        pass
    return content


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        key, query = self._asked()
        objects = self.server.objects
        if "list-type" in query or "prefix" in query:
            self._list(key, query)
        elif key not in objects:
            self._answer(404)
        else:
            content = objects[key]
            found = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
            if found is None:
                self._answer(200, content)
                return
            start, end = int(found[1]), int(found[2] or len(content) - 1)
            part = content[start : end + 1]
            self._answer(206, part, {"Content-Range": f"bytes {start}-{start + len(part) - 1}/{len(content)}"})

    def do_HEAD(self):
        key, _ = self._asked()
        is_bucket = "/" not in key.strip("/")
        self._answer(200 if is_bucket or key in self.server.objects else 404, self.server.objects.get(key, b""))

    def do_DELETE(self):
        self.server.objects.pop(self._asked()[0], None)
        self._answer(204)

    def do_PUT(self):
        key, query = self._asked()
        content = self._content()
        with self.server.lock:
            self.server.puts.append((key, "uploadId" in query))
            if "uploadId" in query:
                self.server.uploads.setdefault(key, {})[int(query["partNumber"][0])] = content
            else:
                self.server.objects[key] = content
                self.server.written(key)
        self._answer(200, headers={"ETag": '"0"'})

    def do_POST(self):
        key, query = self._asked()
        self._content()
        if "uploads" in query:
            text = (
                f"<InitiateMultipartUploadResult><Key>{key}</Key><UploadId>1</UploadId></InitiateMultipartUploadResult>"
            )
        else:
            parts = self.server.uploads.pop(key)
            self.server.objects[key] = b"".join(parts[number] for number in sorted(parts))
            text = "<CompleteMultipartUploadResult><ETag>0</ETag></CompleteMultipartUploadResult>"
        self._answer(200, text.encode())

    def _asked(self):
        parts = urlsplit(self.path)
        return unquote(parts.path).lstrip("/"), parse_qs(parts.query, keep_blank_values=True)

    def _content(self):
        """The body: in chunks of HTTP, which may hold chunks of S3 and a checksum after them."""
        chunked = self.headers.get("Transfer-Encoding") == "chunked"
        body = unchunked(self.rfile) if chunked else self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return unchunked(io.BytesIO(body)) if "x-amz-trailer" in self.headers else body

    def _list(self, bucket, query):
        prefix, bucket = query.get("prefix", [""])[0], bucket.strip("/")
        keys = sorted(key.removeprefix(f"{bucket}/") for key in self.server.objects if key.startswith(f"{bucket}/"))
        keys = [key for key in keys if key.startswith(prefix)]
        folders = set()
        if query.get("delimiter"):
            folders = {prefix + key[len(prefix) :].split("/")[0] + "/" for key in keys if "/" in key[len(prefix) :]}
            keys = [key for key in keys if "/" not in key[len(prefix) :]]
        keys = keys[: int(query.get("max-keys", ["1000"])[0])]
        listed = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.server.objects[f'{bucket}/{key}'])}</Size>"
            "<LastModified>2026-11-26T10:00:00.000Z</LastModified></Contents>"
            for key in keys
        )
        listed += "".join(f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" for name in folders)
        count = len(keys) + len(folders)
        head = f"<Name>{bucket}</Name><KeyCount>{count}</KeyCount><IsTruncated>false</IsTruncated>"
        self._answer(200, f"<ListBucketResult>{head}{listed}</ListBucketResult>".encode())

    def _answer(self, status, content=b"", headers=None):
        self.send_response(status)
        modified = {"Last-Modified": formatdate(1_790_000_000, usegmt=True)}
        for name, value in {"Content-Length": len(content), **modified, **(headers or {})}.items():
            self.send_header(name, str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *_):
        pass


@contextmanager
def fake_s3():
    """The server; it has `objects` by ``BUCKET/KEY``, `puts` (key, whether part of a larger one), `address`,
    and calls `written` with the key of what was just put."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.objects, server.uploads, server.puts, server.lock = {}, {}, [], Lock()
    server.written = lambda key: None
    server.address = f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
