# Tamis alone, on Debian's C library. Build: docker build -t tamis .
FROM rust:1-bookworm AS build
WORKDIR /src
COPY . .
# librdkafka and OpenSSL are built from source: the image has what that needs (a C++ compiler, make, perl).
RUN cargo build --profile dist --locked --features vendored --bin tamis

FROM debian:bookworm-slim
# Whom the system trusts, for TLS without a `ca` of its own.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*
COPY --from=build /src/target/dist/tamis /usr/local/bin/tamis
# A number, so that Kubernetes can tell that it is not root: nobody.
USER 65534:65534
ENTRYPOINT ["tamis"]
