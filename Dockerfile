# The service in a container; nothing is downloaded when it runs, nothing is written.
FROM python:3.12-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY src src
RUN python -m venv /mien && /mien/bin/pip install --no-cache-dir -c constraints.txt '.[serve]'

FROM python:3.12-slim
COPY --from=build /mien /mien
USER 10001:10001
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
EXPOSE 8000
HEALTHCHECK --start-period=30s CMD ["/mien/bin/python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/readyz', timeout=3)"]
# Reachable from outside the container, so MIEN_TOKEN (or --token-file, or --insecure) is needed.
ENTRYPOINT ["/mien/bin/mien", "serve", "--host", "0.0.0.0"]
