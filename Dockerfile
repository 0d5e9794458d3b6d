# Kandong in a container: the page is built, the package installed with it, and only the result is kept.
#   docker compose run --rm kandong keys create me --scope admin     (once: prints the key that every request needs)
#   docker compose run --rm kandong pull                             (once: the weights, or use the page's button)
#   docker compose up
FROM node:22-bookworm AS page
WORKDIR /build
COPY scripts/ scripts/
COPY web/package.json web/package-lock.json web/
RUN python3 -m scripts.page_build --packages
COPY web/ web/
RUN python3 -m scripts.page_build

FROM python:3.12-slim-bookworm AS installation
WORKDIR /build
COPY pyproject.toml hatch_build.py README.md README.zh-CN.md CHANGELOG.md LICENSE ./
COPY scripts/ scripts/
COPY web/ web/
COPY src/ src/
COPY --from=page /build/src/kandong/server/page/ src/kandong/server/page/
# The stamp says that this page is of these sources, so that none is built again.
RUN python -c "from scripts import page_build as p; (p.output_folder() / p.STAMP).write_text(p.source_stamp())" \
    && python -m venv /opt/kandong \
    && /opt/kandong/bin/python -m pip install --no-cache-dir --disable-pip-version-check . \
    && /opt/kandong/bin/python -m compileall -q /opt/kandong/lib

FROM python:3.12-slim-bookworm
LABEL org.opencontainers.image.title="Kandong" \
      org.opencontainers.image.description="Understands social-media posts, pictures and words, on a CPU" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --uid 10001 --user-group --create-home --shell /usr/sbin/nologin kandong \
    && install -d -o kandong -g kandong -m 0700 /data
COPY --from=installation /opt/kandong /opt/kandong
# Everything that is kept lies in /data: weights, their converted form, features, conversations, keys.
ENV PATH=/opt/kandong/bin:$PATH \
    KANDONG_HOME=/data \
    KANDONG_HOST=0.0.0.0 \
    PYTHONUNBUFFERED=1
USER 10001:10001
VOLUME /data
EXPOSE 8765
STOPSIGNAL SIGTERM
# The process answers within a second; /readyz tells when the model is loaded. The first start converts the weights once.
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8765/healthz', timeout=4)"]
ENTRYPOINT ["kandong"]
CMD ["serve"]
