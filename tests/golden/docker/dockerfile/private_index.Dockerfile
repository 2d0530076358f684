FROM registry.example.com/python:3.12 AS uv
ARG PIP_INDEX_URL=https://pypi.example.com/simple
ARG UV_DEFAULT_INDEX=https://pypi.example.com/simple
ARG PIP_EXTRA_INDEX_URL="https://one.example.com/simple https://two.example.com/simple"
ARG UV_INDEX="https://one.example.com/simple https://two.example.com/simple"
ARG NETRC=/run/secrets/netrc
ARG HTTP_PROXY
RUN --mount=type=secret,id=netrc,target=/run/secrets/netrc --mount=type=secret,id=uv.toml,target=/etc/uv/uv.toml python -m pip install --no-cache-dir uv==0.13.9 && cp "$(command -v uv)" /uv
FROM registry.example.com/python:3.12
ARG PIP_INDEX_URL=https://pypi.example.com/simple
ARG UV_DEFAULT_INDEX=https://pypi.example.com/simple
ARG PIP_EXTRA_INDEX_URL="https://one.example.com/simple https://two.example.com/simple"
ARG UV_INDEX="https://one.example.com/simple https://two.example.com/simple"
ARG NETRC=/run/secrets/netrc
ARG HTTP_PROXY
ENV PYTHONUNBUFFERED=1
RUN echo 'job:x:1000:' >> /etc/group && echo 'job:x:1000:1000::/home/job:/bin/sh' >> /etc/passwd && mkdir -p /home/job /job && chown 1000:1000 /home/job /job
WORKDIR /job
COPY ["requirements.txt", "requirements.txt"]
RUN --mount=type=bind,from=uv,source=/uv,target=/uv --mount=type=cache,target=/root/.cache/uv --mount=type=secret,id=netrc,target=/run/secrets/netrc --mount=type=secret,id=uv.toml,target=/etc/uv/uv.toml ["/uv", "pip", "install", "--system", "--link-mode=copy", "--compile-bytecode", "-r", "requirements.txt"]
COPY --chown=1000:1000 . .
USER 1000:1000
