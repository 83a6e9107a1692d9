# An image with only Tamis, on Debian's C library. Build it with: docker build -t tamis .
FROM rust:1-bookworm AS build
WORKDIR /src
COPY . .
# librdkafka and OpenSSL are built from source. The image contains the tools for this: a C++ compiler, make and perl.
RUN cargo build --profile dist --locked --features vendored --bin tamis

FROM debian:bookworm-slim
# The certificate authorities of the system, for TLS without `tls.ca`.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*
COPY --from=build /src/target/dist/tamis /usr/local/bin/tamis
# The user `nobody`, as a number, so that Kubernetes can check that it is not root.
USER 65534:65534
ENTRYPOINT ["tamis"]
