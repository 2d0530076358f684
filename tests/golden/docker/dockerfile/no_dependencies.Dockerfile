FROM python:3.12-slim
ENV PYTHONUNBUFFERED=1
RUN echo 'job:x:1000:' >> /etc/group && echo 'job:x:1000:1000::/home/job:/bin/sh' >> /etc/passwd && mkdir -p /home/job /job && chown 1000:1000 /home/job /job
WORKDIR /job
COPY --chown=1000:1000 . .
USER 1000:1000
