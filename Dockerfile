# The service in a container; nothing is downloaded when it runs, nothing is written. What is installed, container/ says:
# requirements.txt with hashes, sbom.cdx.json with licences. The wheel of PyAV carries x264 and x265 (GPL-2.0-or-later):
# who passes the image on does so under the GPL's terms.
FROM python:3.12-slim AS build
WORKDIR /source
COPY container/requirements.txt container/
RUN python -m venv /mien && /mien/bin/pip install --no-cache-dir --require-hashes -r container/requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY src src
RUN /mien/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.12-slim
COPY --from=build /mien /mien
USER 10001:10001
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
EXPOSE 8000
HEALTHCHECK --start-period=30s CMD ["/mien/bin/python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/readyz', timeout=3)"]
# Reachable from outside the container, so MIEN_TOKEN (or --token-file, or --insecure) is needed.
ENTRYPOINT ["/mien/bin/mien", "serve", "--host", "0.0.0.0"]
