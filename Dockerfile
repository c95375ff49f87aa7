# Serves the published run: docker build -t meanface . && docker run --read-only --tmpfs /tmp -p 5006:5006 meanface
FROM python:3.12-slim AS build
WORKDIR /source
RUN python -m venv /opt/meanface
COPY . .
RUN /opt/meanface/bin/pip install --no-cache-dir -c requirements.lock ".[heic]"
# What is served is made here, so that a container starts at once and writes nothing.
ENV MEANFACE_HOME=/srv/meanface
RUN mkdir /srv/meanface && /opt/meanface/bin/meanface report

FROM python:3.12-slim
RUN useradd --system --uid 10001 --no-create-home meanface
COPY --from=build /opt/meanface /opt/meanface
COPY --from=build /srv/meanface /srv/meanface
ENV PATH=/opt/meanface/bin:$PATH MEANFACE_HOME=/srv/meanface PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOME=/tmp
USER 10001
EXPOSE 5006
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ.get(\"PORT\", 5006)}/readyz')"]
CMD ["meanface", "serve", "--host", "0.0.0.0", "--log-format", "json"]
