SHELL := /bin/bash
# See Package.swift.
export KUMIAI_TESTABLE := 1
.SHELLFLAGS := -euo pipefail -c
# 100000 seeds take about a quarter of an hour on two cores.
SEEDS ?= 10000
SEED ?=
# Seconds for each reader of bytes from outside.
FUZZ_SECONDS ?= 60
.PHONY: build demo test simulate fuzz sanitize bench proto check-proto settings docs example format format-check setup setup-test setup-bench clean

SWIFT_BUILD := swift build -c release
PACKAGES := libssl-dev libprotobuf-c-dev libopenblas-dev libhdf5-dev zlib1g-dev libsqlite3-dev pkg-config
TEST_PACKAGES := $(PACKAGES) openssl protobuf-c-compiler protobuf-compiler python3-protobuf python3-venv tinyproxy-bin
ARGS ?=
# Of the names of tests, for one module's alone.
FILTER ?=
JSON ?=

# The first thing that a newcomer runs.
demo: build
	.build/release/kumiai demo $(ARGS)

build: setup
	$(SWIFT_BUILD) --product kumiai

# One build for everything: tests run against the optimised code that users get.
test: setup-test
	$(SWIFT_BUILD) --build-tests
	# One after the other: they start real processes, and a starved peer would time out.
	# What failed stands once more at the end, where it is found.
	swift test -c release --skip-build --no-parallel $(if $(FILTER),--filter '$(FILTER)') 2>&1 | tee .build/test.log || { grep '✘' .build/test.log; exit 1; }

# A consortium's life with crashes, cuts, full disks and lies, SEEDS times over; SEED=17 repeats one and says what happens.
simulate: setup
	$(SWIFT_BUILD) --product simulate
	.build/release/simulate $(if $(SEED),--seed $(SEED) --verbose,--seeds $(SEEDS))

# Every reader of bytes from outside, FUZZ_SECONDS each, from the corpus in Tests/Corpus; what breaks one stays in .build/fuzzing.
fuzz: setup-test
	.ci/fuzz $(FUZZ_SECONDS)

# The tests of the rooms with AddressSanitizer or, SANITIZER=thread, ThreadSanitizer: in folders of their own, and slow.
SANITIZER ?= address
sanitize: setup-test
	.ci/sanitize $(SANITIZER)

# Ratios against OpenSSL, memcpy and PyTorch, side by side in one run. JSON=1 prints one object.
bench: setup-bench
	@Benchmarks/run $(if $(JSON),--json)

# The C in Sources/KumiaiProto is generated and committed, so that users need no compiler for it.
proto:
	cd proto && protoc-c --c_out=../Sources/KumiaiProto kumiai/v1/*.proto
	mkdir -p Sources/KumiaiProto/include/kumiai/v1
	mv Sources/KumiaiProto/kumiai/v1/*.pb-c.h Sources/KumiaiProto/include/kumiai/v1/

# The articles and the public library's symbols, as a site in .build/docs; a warning is an error.
LIBRARY := Federation Tensors Updates Aggregation Identity Ledger Blobs Releases Verification
docs: setup
	KUMIAI_DOCS=1 swift package --allow-writing-to-directory .build/docs generate-documentation \
		$(foreach target,Kumiai $(LIBRARY),--target $(target)) --enable-experimental-combined-documentation \
		--output-path .build/docs --warnings-as-errors

# The examples that verify: a program that uses the library, as its users build it, and one without any code of ours.
example: setup
	python3 Examples/verify-ledger/verify_ledger.py $(GOLDEN)/data --ca $(GOLDEN)/data/ca.pem
	env -u KUMIAI_TESTABLE swift build --package-path Examples/verify-release
	Examples/verify-release/.build/debug/VerifyRelease $(GOLDEN)/data/releases/FY2027 $(GOLDEN)/data/ca.pem

GOLDEN := Tests/KumiaiCommandsTests/Golden/b118d57

# The tables of settings in README.md, from their declarations; a test compares them.
settings: build
	.ci/settings

check-proto:
	.ci/check-proto

format:
	swift format --in-place --recursive Package.swift Sources Tests Benchmarks

format-check:
	swift format lint --strict --recursive Package.swift Sources Tests Benchmarks

setup:
	@.ci/install $(PACKAGES)

setup-test:
	@.ci/install $(TEST_PACKAGES)
	@.ci/python

setup-bench:
	@.ci/install $(TEST_PACKAGES)

clean:
	rm -rf .build Benchmarks/.build kumiai-demo*
