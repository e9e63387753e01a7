# Linted, but not built by this project's own checks, which have no container engine: docker build -t pinpoint-import-role-controller:0.1.0 .
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked --package pinpoint-import-role-controller

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /src/target/release/pinpoint-import-role-controller /
USER 65532:65532
ENTRYPOINT ["/pinpoint-import-role-controller"]
