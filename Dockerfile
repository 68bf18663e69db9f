# One image for api, worker, beat and migrate: the command says which. Nothing is written outside /tmp, /run/orchestrator and the
# volume of marks.
FROM python:3.12-slim-trixie AS libraries
COPY requirements.lock /
RUN python -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --only-binary :all: -r /requirements.lock

FROM python:3.12-slim-trixie
# pg_dump and pg_restore of the server's version: `orchestrator backup` and `restore` call them.
RUN apt-get update \
 && apt-get install --yes --no-install-recommends postgresql-client-17 \
 && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin orchestrator \
 && install -d -m 0700 -o orchestrator /run/orchestrator /var/lib/orchestrator \
 && printf '#!/bin/sh\nexec /opt/venv/bin/python -m orchestrator.cli "$@"\n' > /usr/local/bin/orchestrator \
 && chmod 0755 /usr/local/bin/orchestrator
COPY --from=libraries /opt/venv /opt/venv
WORKDIR /app
COPY orchestrator ./orchestrator
COPY workflows ./workflows
COPY config ./config
RUN /opt/venv/bin/python -m compileall -q orchestrator workflows
ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/app PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    ORCH_CONFIG_DIR=/app/config ORCH_RUN_DIR=/run/orchestrator
USER 10001
ENTRYPOINT ["orchestrator"]
CMD ["--help"]
