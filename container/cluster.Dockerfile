# An image for jobs: examples/rayjob.yaml and examples/array_job.yaml. docker build -f container/cluster.Dockerfile -t mien-cluster .
# KubeRay asks the pods for their health by bash and wget.
FROM python:3.12-slim
RUN apt-get update && apt-get install --yes --no-install-recommends bash wget && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY src src
RUN pip install --no-cache-dir -c constraints.txt '.[cluster,video,heif]'
USER 10001:10001
ENV HOME=/tmp PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 RAY_USAGE_STATS_ENABLED=0
WORKDIR /tmp
