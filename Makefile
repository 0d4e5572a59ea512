# Thin: the work is done by CMake presets (CMakePresets.json) and tools/run_tests.py.

.DEFAULT_GOAL := help
.PHONY: help setup build run check test soak bench lint format coverage clean

LIBRARY := $(CURDIR)/build/release/libmimalloc.so
SOURCES := $(wildcard core bindings tests python)

help: ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1|/' | \
		while IFS='|' read -r name text; do printf '  make %-9s %s\n' "$$name" "$$text"; done

setup: ## install the packages that building, testing and measuring need
	@tools/setup.sh

build: ## build/release/libmimalloc.so
	@tools/setup.sh --run
	@mkdir -p build
	@cmake --preset release >build/configure.log 2>&1 || { cat build/configure.log; exit 1; }
	@cmake --build --preset release --target mimalloc

run: build ## run a Python workload on the library; CMD="prog args" runs yours
ifdef CMD
	env LD_PRELOAD=$(LIBRARY) MIMALLOC_SHOW_STATS=1 $(CMD)
else
	env LD_PRELOAD=$(LIBRARY) MIMALLOC_SHOW_STATS=1 PYTHONMALLOC=malloc \
		/usr/bin/python3 examples/json_regex.py
endif

check: setup ## the quick tests: release and debug, golden tests, lint (under 5 minutes)
	@python3 tools/run_tests.py check

test: setup ## every test, sanitizers and integration too (under 40 minutes)
	@python3 tools/run_tests.py test

soak: setup ## the stress tests at full length
	@python3 tools/run_tests.py soak

bench: setup build ## measure, beside other allocators
	@test -f bench/run.py || { echo "bench/run.py is missing"; exit 1; }
	@QUICK=$(QUICK) $$(test -x /usr/bin/python3 && echo /usr/bin/python3 || echo python3) bench/run.py $(ARGS)

lint: ## layers, names, limits and formatting
	@python3 tools/check_layers.py
	@find $(SOURCES) -name '*.[ch]' -not -path '*/build/*' | \
		xargs -r clang-format --dry-run -Werror
	@echo "lint: clean"

format: ## let clang-format rewrite what lint complains about
	@find $(SOURCES) -name '*.[ch]' -not -path '*/build/*' | xargs -r clang-format -i

coverage: setup ## line coverage: build/coverage/coverage.html
	@cmake --preset coverage
	@cmake --build --preset coverage
	@ctest --test-dir build/coverage -LE "stress|model|fault" --output-on-failure
	@cmake --build --preset coverage --target coverage-report

clean: ## remove build/
	@rm -rf build
