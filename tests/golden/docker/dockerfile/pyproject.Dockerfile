FROM python:3.12-slim
ENV PYTHONUNBUFFERED=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN echo 'job:x:1000:' >> /etc/group && echo 'job:x:1000:1000::/home/job:/bin/sh' >> /etc/passwd && mkdir -p /home/job /job && chown 1000:1000 /home/job /job
WORKDIR /job
RUN --mount=type=cache,target=/root/.cache/pip ["python", "-m", "pip", "install", "numpy>=2,<3; python_version > '3.9'"]
COPY --chown=1000:1000 . .
USER 1000:1000
