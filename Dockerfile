# Lookout as an image: the binary alone, no watch-list, no configuration but what a container cannot do without.

FROM docker.io/library/rust:1.95-slim-trixie AS build
WORKDIR /src
COPY . .
# The repository is not there to ask: --build-arg LOOKOUT_COMMIT="$(git rev-parse --short=12 HEAD)" names it in `lookout --version`.
ARG LOOKOUT_COMMIT=""
# The cache is no part of the layer, so the binary leaves it in the same step.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin lookout && cp target/release/lookout /usr/local/bin/lookout

FROM docker.io/library/debian:trixie-slim
# A fixed number, so that the owner of a mounted folder can be named.
RUN useradd --system --uid 10001 --user-group --no-create-home --home-dir /var/lib/lookout --shell /usr/sbin/nologin lookout \
    && install -d -o lookout -g lookout -m 0700 /var/lib/lookout
COPY --from=build /usr/local/bin/lookout /usr/local/bin/lookout

# The default is loopback, which is the container's own: nobody could reach it there. Health and metrics stay on it.
ENV LOOKOUT__SERVER__BIND=0.0.0.0:8000 \
    LOOKOUT__ADMIN__BIND=127.0.0.1:8001 \
    LOOKOUT__STORE__PATH=/var/lib/lookout/lookout.db
USER lookout
WORKDIR /var/lib/lookout
VOLUME /var/lib/lookout
EXPOSE 8000
# Alive, not ready: a node that waits for its store is not to be replaced. bash opens the connection, the image has no client.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/${LOOKOUT__ADMIN__BIND##*:} && printf 'GET /healthz HTTP/1.0\\r\\n\\r\\n' >&3 && head -n 1 <&3 | grep -q ' 200 '"]
ENTRYPOINT ["/usr/local/bin/lookout"]
