# Linted by our checks. They build the last stage too (`make image`); in place of what it takes from elsewhere they put a binary that was
# built on the machine, and a base of Debian's packages. So they run neither the first stage nor the base that is named here.
#   docker build -t pinpoint-import-role-controller:0.1.0 .
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# It puts the list of dependencies into the binary, where scanners look for it.
RUN cargo install --locked --version 0.7.7 cargo-auditable \
 && cargo auditable build --release --locked --bin pinpoint-import-role-controller

FROM gcr.io/distroless/cc-debian12:nonroot
LABEL org.opencontainers.image.title="pinpoint-import-role-controller" \
      org.opencontainers.image.description="Kubernetes controller for the IAM roles through which Amazon Pinpoint imports segments from S3" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /src/target/release/pinpoint-import-role-controller /
USER 65532:65532
ENTRYPOINT ["/pinpoint-import-role-controller"]
