FROM python:3.12-slim AS uv
RUN python -m pip install --no-cache-dir uv==0.13.9 && cp "$(command -v uv)" /uv
FROM python:3.12-slim
ENV PYTHONUNBUFFERED=1
RUN echo 'job:x:1000:' >> /etc/group && echo 'job:x:1000:1000::/home/job:/bin/sh' >> /etc/passwd && mkdir -p /home/job /job && chown 1000:1000 /home/job /job
WORKDIR /job
COPY --from=uv /uv /uv
COPY ["requirements.txt", "requirements.txt"]
RUN ["/uv", "pip", "install", "--system", "--no-cache", "--compile-bytecode", "-r", "requirements.txt"]
COPY --chown=1000:1000 . .
USER 1000:1000
