# The tester with its embedded cluster. Real TiKV is reached with --target attach.
#   docker build -t jepsen-tikv .
#   docker run --rm -v "$PWD/runs:/work/runs" jepsen-tikv test --time 30
# With --target attach keep ~/.local/state/jepsen-tikv in a volume as well: what a killed tester left is noted there.
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN cargo build --release --locked

FROM debian:bookworm-slim
# ssh reaches the stores of an attached cluster that are on other hosts.
RUN apt-get update && apt-get install -y --no-install-recommends openssh-client && rm -rf /var/lib/apt/lists/*
COPY --from=build /source/target/release/jepsen-tikv /usr/local/bin/jepsen-tikv
RUN useradd --create-home tester && mkdir /work && chown tester /work
USER tester
WORKDIR /work
ENTRYPOINT ["jepsen-tikv"]
CMD ["test"]
