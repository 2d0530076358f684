FROM python:3.12-slim AS uv
RUN python -m pip install --no-cache-dir uv==0.13.9 && cp "$(command -v uv)" /uv
FROM python:3.12-slim
ENV PYTHONUNBUFFERED=1
RUN echo 'job:x:1000:' >> /etc/group && echo 'job:x:1000:1000::/home/job:/bin/sh' >> /etc/passwd && mkdir -p /home/job /job && chown 1000:1000 /home/job /job
WORKDIR /job
COPY ["pyproject.toml", "pyproject.toml"]
RUN --mount=type=bind,from=uv,source=/uv,target=/uv --mount=type=cache,target=/root/.cache/uv ["/uv", "pip", "install", "--system", "--link-mode=copy", "--compile-bytecode", "-r", "pyproject.toml"]
COPY --chown=1000:1000 . .
USER 1000:1000
