FROM python:3.12-slim AS uv
RUN python -m pip install --no-cache-dir uv==0.13.9 && cp "$(command -v uv)" /uv
FROM nvidia/cuda:12.9.1-runtime-ubuntu24.04
USER root
ENV PYTHONUNBUFFERED=1
RUN echo 'job:x:1000:' >> /etc/group && echo 'job:x:1000:1000::/home/job:/bin/sh' >> /etc/passwd && mkdir -p /home/job /job && chown 1000:1000 /home/job /job
WORKDIR /job
ENV PATH=/opt/env/bin:$PATH UV_PYTHON_INSTALL_DIR=/opt/python
RUN --mount=type=bind,from=uv,source=/uv,target=/uv --mount=type=cache,target=/root/.cache/uv if python3 -c 'import sys; sys.exit(sys.version_info[:2] != (3, 12))'; then command -v python || { mkdir -p /opt/env/bin && ln -s "$(command -v python3)" /opt/env/bin/python; }; else /uv venv --python 3.12 /opt/env; fi
COPY ["requirements.txt", "requirements.txt"]
RUN --mount=type=bind,from=uv,source=/uv,target=/uv --mount=type=cache,target=/root/.cache/uv ["sh", "-c", "exec \"$@\" --python \"$(command -v python3)\"", "sh", "/uv", "pip", "install", "--break-system-packages", "--link-mode=copy", "--compile-bytecode", "-r", "requirements.txt"]
COPY --chown=1000:1000 . .
USER 1000:1000
