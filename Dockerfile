# syntax=docker/dockerfile:1
# Vestibule as a small image: built in one stage, run as nobody in particular in the next.

FROM rust:1.95-slim-trixie AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends build-essential cmake \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# All roles, or some: --build-arg FEATURES=gateway
ARG FEATURES=auth,gateway,aggregation,postgres
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/target \
    CARGO_TARGET_DIR=/target cargo build --release --locked --no-default-features --features "$FEATURES" \
    && cp /target/release/vestibule /usr/local/bin/vestibule

FROM debian:trixie-slim
RUN useradd --system --uid 10001 --home-dir /var/lib/vestibule --create-home --shell /usr/sbin/nologin vestibule
COPY --from=build /usr/local/bin/vestibule /usr/local/bin/vestibule
USER vestibule
# The default SQLite file lies under here.
WORKDIR /var/lib/vestibule
VOLUME /var/lib/vestibule
ENV VESTIBULE__SERVER__HOST=0.0.0.0 \
    VESTIBULE__LOG__FORMAT=json
EXPOSE 8000
STOPSIGNAL SIGTERM
# A role that runs alone listens on its own port: override the test with its address.
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s CMD ["vestibule", "health", "http://127.0.0.1:8000"]
ENTRYPOINT ["vestibule"]
CMD ["serve"]
