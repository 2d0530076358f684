FROM mambaorg/micromamba:2
USER root
ENV PYTHONUNBUFFERED=1
RUN echo 'job:x:1000:' >> /etc/group && echo 'job:x:1000:1000::/home/job:/bin/sh' >> /etc/passwd && mkdir -p /home/job /job && chown 1000:1000 /home/job /job
WORKDIR /job
ENV MAMBA_ROOT_PREFIX=/opt/conda PATH=/opt/conda/envs/job/bin:$PATH
COPY ["environment.yml", "environment.yml"]
RUN --mount=type=cache,target=/opt/conda/pkgs micromamba create --yes --prefix /opt/conda/envs/job --file environment.yml
COPY --chown=1000:1000 . .
USER 1000:1000
ENTRYPOINT []
