# Needs rustup's cargo and a C compiler. Other programs are installed by apt where that is allowed (.ci/programs), and one
# Java, an old one, by pip (.ci/java-11).

# What the tests run, and the Debian package it is in: clients, backends, and what makes a network namespace.
test-programs := openssl=openssl curl=curl gnutls-cli=gnutls-bin node=nodejs python3=python3 socat=socat \
    java=openjdk-17-jre-headless javac=openjdk-17-jdk-headless \
    gnutls-serv=gnutls-bin go=golang-go haproxy=haproxy nginx=nginx h2o=h2o etcd=etcd-server pip3=python3-pip \
    /usr/share/java/bcprov.jar=libbcprov-java /usr/lib/python3/dist-packages/yaml/__init__.py=python3-yaml \
    ip=iproute2 nsenter=util-linux unshare=util-linux kill=procps \
    /usr/bin/faketime=faketime strace=strace zstd=zstd chromium=chromium tshark=tshark \
    editcap=wireshark-common mergecap=wireshark-common reordercap=wireshark-common
# What raincheck is measured against.
bench-programs := haproxy=haproxy nginx=nginx /usr/lib/nginx/modules/ngx_stream_module.so=libnginx-mod-stream \
    java=openjdk-17-jre-headless javac=openjdk-17-jdk-headless tshark=tshark

fuzz-targets := client_hello ticket_open key_file proxy_protocol ring_document fleet_store packet capture_file tcp_segments \
    tls_stream capture_whole
# The fuzz targets' crate is a workspace of its own, and builds here what it has in common with the others.
in-fuzz := CARGO_TARGET_DIR=target cargo

# Seconds for each target: make fuzz FUZZ_SECONDS=600
FUZZ_SECONDS ?= 60
# How often, and how many minutes for each target: make soak SOAK_ROUNDS=20 SOAK_FUZZ_MINUTES=60
SOAK_ROUNDS ?= 5
SOAK_FUZZ_MINUTES ?= 10
# make bench BENCH_ARGS="--case full13 --rounds 15"
BENCH_ARGS ?=

.PHONY: help test lint bench soak fuzz

help:
	@echo 'make test   install what the tests need, and run them all'
	@echo 'make lint   formatting, clippy, docs, the purity of keyring and diagnosis'
	@echo 'make bench  CPU time and memory beside HAProxy and nginx, health checks too, and captures beside tshark; takes about twenty minutes'
	@echo 'make fuzz   each fuzz target for a minute; needs nightly Rust, cargo-fuzz and a C++ compiler'
	@echo 'make soak   the tests of clients that only write, again and again; checks and failures by the ten thousand; a fleet that fails for five minutes; then fuzzing, ten minutes a target'

test:
	@.ci/programs $(test-programs)
	@.ci/java-11
	$(in-fuzz) test --manifest-path fuzz/Cargo.toml
	docs/check-example
	cargo test --workspace --no-fail-fast

lint:
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo clippy --workspace --all-targets -- --deny warnings
	$(in-fuzz) clippy --manifest-path fuzz/Cargo.toml --all-targets -- --deny warnings
	RUSTDOCFLAGS='--deny warnings' cargo doc --workspace --no-deps
	crates/keyring/check-purity
	crates/diagnosis/check-purity

bench:
	@.ci/programs $(bench-programs)
	cargo build --release --package raincheck
	cargo run --release --package raincheck-bench -- $(BENCH_ARGS)

soak:
	for round in $$(seq $(SOAK_ROUNDS)); do \
	    echo "round $$round of $(SOAK_ROUNDS)"; \
	    cargo test --package raincheck-tests --test held_tickets || exit; \
	done
	cargo test --package raincheck-tests --test failover --test ports --test keys_foreign --test fleet --test agent -- --ignored
	$(MAKE) fuzz FUZZ_SECONDS=$$(( $(SOAK_FUZZ_MINUTES) * 60 ))

fuzz:
	@cargo +nightly fuzz --version >/dev/null 2>&1 || { \
	    echo 'cargo-fuzz or nightly Rust is missing: rustup toolchain install nightly && cargo install cargo-fuzz' >&2; \
	    exit 1; \
	}
	for target in $(fuzz-targets); do \
	    mkdir -p fuzz/corpus/$$target && \
	    cargo +nightly fuzz run $$target fuzz/corpus/$$target fuzz/seeds/$$target -- \
	        -max_total_time=$(FUZZ_SECONDS) -max_len=70000 -print_final_stats=1 || exit; \
	done
