# Targets for people; .ci/run uses them too. `make` alone lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup tools build release demo dev test format lint docs dependencies unit bench proof soak browser faults fuzz mutants crd licences advisories alerts chart flux image node binaries

CARGO_DENY_VERSION := 0.20.2
CARGO_MUTANTS_VERSION := 27.1.0
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/pinpoint-import-role-controller
TARGET := $(or $(CARGO_TARGET_DIR),target)

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "%-14s %s\n", $$1, $$2 }' Makefile

STEP := tests/tools/step.sh

# Side by side: each waits for the network at times, or has work for one core alone.
setup: ## Build the control plane, install moto and linters, once: about 5 minutes; the other targets do it too
	@$(STEP) "control plane" tests/tools/control-plane/build.sh & plane=$$!; \
	$(STEP) moto tests/tools/python/setup.sh && wait $$plane

tools: setup ## Build what the tests need besides, once: about a minute; make test does it too
	@$(STEP) kube-controller-manager tests/tools/control-plane/build.sh kube-controller-manager
	@$(STEP) kubeconform tests/tools/tool.sh kubeconform

# The profile and the crates of `make test`, so that neither builds for itself alone: it takes less than half the time of a release.
build:
	@[ -e $(TARGET)/debug/demo ] || echo "the first time: a control plane, moto and the binaries are made, side by side, in about 8 minutes" >&2
	@$(STEP) binaries cargo build --quiet --locked --workspace --bin demo --bin pinpoint-import-role-controller & binaries=$$!; \
	$(MAKE) --no-print-directory setup && wait $$binaries

release:
	@[ -e $(TARGET)/release/bench ] || echo "release binaries: compiling, once: about 6 minutes" >&2
	@$(STEP) "release binaries" cargo build --quiet --release --locked --workspace --bins

demo: build ## Show the main job from end to end, on this machine alone
	@$(TARGET)/debug/demo

dev: build ## Start the demo's world and leave it running, to play with
	@$(TARGET)/debug/demo dev

# Side by side: each has work for one core alone at times.
test: ## Check everything, up to the end-to-end tests on a real control plane
	@$(MAKE) --no-print-directory tools & tools=$$!; \
	$(MAKE) --no-print-directory format lint docs dependencies binaries || { wait; exit 1; }; wait $$tools
	@$(MAKE) --no-print-directory unit

format:
	cargo fmt --all --check

lint:
	cargo clippy --quiet --workspace --all-targets --locked -- -D warnings
	@# Targets with `test = false` are not among all.
	cargo clippy --quiet --workspace --test alerts --test chart --test cluster --test flux --test node --locked -- -D warnings
	tools=$$(dirname "$$(tests/tools/python/setup.sh)"); \
	$$tools/shellcheck --external-sources --source-path SCRIPTDIR .ci/run tests/tools/*.sh tests/tools/*/*.sh deploy/*/*.sh; \
	$$tools/hadolint Dockerfile; \
	$$tools/cfn-lint deploy/changes.yaml deploy/changes-member.yaml

docs:
	RUSTDOCFLAGS="-D warnings" cargo doc --quiet --workspace --no-deps --locked

dependencies:
	@for crate in 'ring v' 'hyper v0.14'; do \
	  if cargo tree --locked --workspace --edges all --prefix none | grep "^$$crate"; then \
	    echo "$$crate… must not be among the dependencies: see cargo tree -i" >&2; exit 1; \
	  fi; \
	done; echo "no ring and no hyper 0.14 among the dependencies"

bench: setup release ## Measure what docs/performance.md shows, in 40 minutes; PARTS names some: 10000 (objects), fleet, sight, flood, once, publish
	@$(TARGET)/release/bench $(PARTS)

proof: release ## Visit every state of small worlds in which the decision acts, and take each of its rules out; MORE=1 lets more happen
	@$(TARGET)/release/proof $(or $(MORE),0) $(or $(MOST),1000000)
	@$(TARGET)/release/proof guards

soak: setup release ## Many objects for DURATION=10m, while others do their worst by chance from SEED=…; OBJECTS=300
	@$(TARGET)/release/soak $(or $(DURATION),10m) $(or $(OBJECTS),300) $(SEED)

browser: ## Look at the pages of audit and plan in a real browser, with hostile names in them; target/browser has the pictures
	@$(STEP) chromium tests/tools/chromium/setup.sh
	# The binaries of `make test`: by themselves they would be built of other features, and so all over again.
	@$(STEP) binaries cargo test --quiet --locked --workspace --no-run --test core --test control_plane
	@$(TARGET)/debug/browser

faults: ## Disturb each call of each flow in each way, and then each later one: all pairs, in process
	FAULTS=$(or $(ONE_IN),1) cargo test --quiet --release --locked --workspace --test faults -- --nocapture

fuzz: ## Look for inputs that break what is promised, for DURATION (10m); SEED begins with the inputs of a failure
	cargo test --quiet --locked --workspace --lib --test core --no-run
	@export FUZZ_FOR=$(or $(DURATION),10m) $(if $(SEED),FUZZ_SEED=$(SEED)); failed=0; \
	search() { RUST_BACKTRACE=0 cargo test --quiet --locked --workspace "$$@" fuzz:: -- --nocapture --test-threads 32; }; \
	search --lib & search --test core || failed=1; \
	wait $$! || failed=1; exit $$failed

$(CACHE)/cargo-mutants-$(CARGO_MUTANTS_VERSION)/bin/cargo-mutants:
	@echo "installing cargo-mutants $(CARGO_MUTANTS_VERSION), once: about 3 minutes" >&2
	cargo install --quiet --locked --version $(CARGO_MUTANTS_VERSION) --root $(CACHE)/cargo-mutants-$(CARGO_MUTANTS_VERSION) cargo-mutants

PURE := src/role/**/*.rs $(patsubst %,src/controller/%.rs,backlog memory pace register)
mutants: $(CACHE)/cargo-mutants-$(CARGO_MUTANTS_VERSION)/bin/cargo-mutants ## Make one mistake after the other in the pure core and see whether a test finds it; FILES and SHARD=0/8 name a part
	@# 3 says that tests of a mutant went round for ever, which finds it, and nothing of those that were missed.
	PROPTEST_CASES=$(or $(PROPTEST_CASES),200) RUST_BACKTRACE=0 \
	$< mutants --package pure --output $(TARGET) $(foreach file,$(or $(FILES),$(PURE)),--file '**/$(file)') \
	  $(if $(SHARD),--sharding round-robin --shard $(SHARD)) || { [ $$? -eq 3 ] && [ ! -s $(TARGET)/mutants.out/missed.txt ]; }

TESTS := cargo test --workspace --locked --no-fail-fast
binaries:
	$(TESTS) --quiet --no-run && $(TESTS) --quiet --no-run --test cluster

unit: binaries
	@mkdir -p $(TARGET)
	@# Side by side, and more end-to-end tests at a time than there are cores: those mostly wait, the others only compute.
	@$(TESTS) >$(TARGET)/test.log 2>&1 & others=$$!; failed=0; \
	RUST_TEST_THREADS=$${RUST_TEST_THREADS:-16} $(TESTS) --test cluster 2>&1 | tee $(TARGET)/cluster.log || failed=1; \
	wait $$others || failed=1; cat $(TARGET)/test.log; \
	awk '/^test result:/ { passed += $$4; failed += $$6; ignored += $$8 } \
	  END { printf "%d tests passed, %d failed, %d ignored\n", passed, failed, ignored; \
	        exit (passed == 0 || failed > 0 || ignored > 0) }' $(TARGET)/cluster.log $(TARGET)/test.log && exit $$failed

alerts: ## Let the real promtool try alerts and queries of the dashboard; builds it once: about 3 minutes
	cargo test --locked --workspace --test alerts

chart: ## Let the real helm render, install, upgrade and remove the chart; builds it once: about 2 minutes
	cargo test --locked --workspace --test chart

flux: ## Let the real Flux apply what is in Git, and see what becomes of roles; builds Flux once: about 10 minutes
	cargo test --locked --workspace --test flux -- --nocapture

image: ## Build the image and its bill of materials, without a container engine, as root: 6 minutes the first time
	@tests/tools/image/build.sh

node: ## Run the image on a real node, and do to its pods what may happen to them, as root: 3 minutes after the builds
	@# Asked before minutes go into an image.
	@tests/tools/node/box.sh check
	@image=$$(tests/tools/image/build.sh); NODE_IMAGE=$$image cargo test --locked --workspace --test node \
	  --config "target.'cfg(unix)'.runner = 'tests/tools/node/box.sh'" -- --nocapture

crd: ## Renew crds/, the chart's copy and deploy/schemas/ from the code
	@# The binary of `make test`: by itself it would be built of other features, and so all over again.
	@$(STEP) binaries cargo test --quiet --locked --workspace --no-run --test core
	$(TARGET)/debug/pinpoint-import-role-controller crd > crds/pinpointimportroles.yaml.new
	mv crds/pinpointimportroles.yaml.new crds/pinpointimportroles.yaml
	cp crds/pinpointimportroles.yaml deploy/chart/files/
	$(TARGET)/debug/pinpoint-import-role-controller crd --output json-schema > deploy/schemas/pinpointimportrole_v1alpha1.json.new
	mv deploy/schemas/pinpointimportrole_v1alpha1.json.new deploy/schemas/pinpointimportrole_v1alpha1.json

$(CACHE)/cargo-deny-$(CARGO_DENY_VERSION)/bin/cargo-deny:
	@echo "installing cargo-deny $(CARGO_DENY_VERSION), once: about 5 minutes" >&2
	cargo install --quiet --locked --version $(CARGO_DENY_VERSION) --root $(CACHE)/cargo-deny-$(CARGO_DENY_VERSION) cargo-deny

licences: $(CACHE)/cargo-deny-$(CARGO_DENY_VERSION)/bin/cargo-deny ## Check licences, sources and duplicates of the dependencies
	$< --workspace --locked check licenses bans sources

advisories: $(CACHE)/cargo-deny-$(CARGO_DENY_VERSION)/bin/cargo-deny ## Check the dependencies for known vulnerabilities (fetches the database from GitHub)
	$< --workspace --locked check advisories
