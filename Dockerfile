# One image for the API (python cli.py api), the worker (python worker.py) and migrations (python cli.py migrate).
FROM python:3.11-slim-bookworm AS build

RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
COPY requirements.lock /tmp/requirements.lock
RUN pip install --no-cache-dir --no-deps --require-hashes -r /tmp/requirements.lock

FROM python:3.11-slim-bookworm

RUN install --directory --owner 10001 --group 10001 --mode 700 /documents
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin baobei
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY . .
# Compiled here, since the running container may write nothing.
RUN python -m compileall -q .
USER 10001:10001
EXPOSE 8700
CMD ["python", "cli.py", "api"]
