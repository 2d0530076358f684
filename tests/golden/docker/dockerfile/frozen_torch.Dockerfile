FROM python:3.12-slim AS uv
RUN python -m pip install --no-cache-dir uv==0.13.9 && cp "$(command -v uv)" /uv
FROM python:3.12-slim
ENV PYTHONUNBUFFERED=1
RUN echo 'job:x:1000:' >> /etc/group && echo 'job:x:1000:1000::/home/job:/bin/sh' >> /etc/passwd && mkdir -p /home/job /job && chown 1000:1000 /home/job /job
WORKDIR /job
COPY ["requirements.frozen.txt", "requirements.frozen.txt"]
RUN --mount=type=bind,from=uv,source=/uv,target=/uv --mount=type=cache,target=/root/.cache/uv /uv pip install --system --link-mode=copy --compile-bytecode --extra-index-url https://download.pytorch.org/whl/cu124 --index-strategy unsafe-best-match -r requirements.frozen.txt || while read -r line || [ -n "$line" ]; do case "$line" in ""|"#"*) continue;; esac; /uv pip install --system --link-mode=copy --compile-bytecode --extra-index-url https://download.pytorch.org/whl/cu124 --index-strategy unsafe-best-match --no-deps "$line" || echo "WARNING: $line could not be installed; the job runs without it"; done < requirements.frozen.txt
COPY --chown=1000:1000 . .
USER 1000:1000
