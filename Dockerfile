# docker build -t parley . && docker run --rm --network host -v parley:/var/lib/parley parley
# WebRTC needs UDP ports of the machine: --network host, or a TURN server (compose.yaml has one).
FROM python:3.12-slim-bookworm AS build

COPY requirements/run.txt /src/requirements/run.txt
RUN python -m venv /opt/parley \
    && /opt/parley/bin/pip install --no-cache-dir --no-deps --require-hashes -r /src/requirements/run.txt

FROM python:3.12-slim-bookworm

# The OpenMP runtime of the local language model.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --create-home --home-dir /var/lib/parley --uid 10001 parley

COPY --from=build /opt/parley /opt/parley
COPY . /srv/parley
WORKDIR /srv/parley

# Weights, and what was read of prompts, are fetched once into the volume.
ENV PATH=/opt/parley/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PARLEY_CACHE=/var/lib/parley/cache \
    BANK_FILE=/var/lib/parley/bank.sqlite3
VOLUME /var/lib/parley
USER parley
EXPOSE 7860/tcp

# The first start fetches up to 1.2 GB.
HEALTHCHECK --interval=10s --timeout=5s --start-period=15m --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f\"http://127.0.0.1:{os.environ.get('PORT', '7860')}/health\", timeout=4)"]

# SIGTERM lets running sentences end (DRAIN_SECS).
STOPSIGNAL SIGTERM
CMD ["python", "bot.py", "serve"]
