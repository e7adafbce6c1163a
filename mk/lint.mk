##@ Sources

SOURCES := $(sort $(shell find proto keys model client daemon docs/man tests -name '*.[ch]'))
SCRIPTS := $(wildcard tests/run tests/check/*.sh tests/lib/*.sh tests/deb/*.sh tests/fuzz/*.sh tests/system/*.sh tests/train/*.sh tests/tune/*.sh tests/host/*.sh tests/recipes/*.sh docs/*/*.sh systemd/debian/*.sh .ci/run)
CPPCHECK := cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
    --suppress=missingIncludeSystem -I. -D_GNU_SOURCE -DDIFFUSE_VERSION='"$(VERSION)"' -D__linux__

.PHONY: lint format
## lint: install what is missing; formatting, static analysis of C, shell and Python, no warnings
lint: deps-lint
	@echo "clang-format"; clang-format-14 --dry-run -Werror $(SOURCES)
	@echo "cppcheck"; mkdir -p $B/cppcheck; $(CPPCHECK) -j $(JOBS) --cppcheck-build-dir=$B/cppcheck $(filter %.c,$(SOURCES))
	@echo "shellcheck"; shellcheck -x $(SCRIPTS)
	@echo "pyflakes"; pyflakes3 client/demo/*.py model/pretrained/*.py $(wildcard tests/*/*.py tests/*/*/*.py)
	@echo "cc -Werror"; $(SUBMAKE) --silent B=$B/werror WERROR=-Werror tests | grep -v '^  [A-Z]* ' || exit $${PIPESTATUS[0]}
	@echo "clang -Werror"; $(SUBMAKE) --silent B=$B/werror-clang CC=clang-14 WERROR=-Werror tests | grep -v '^  [A-Z]* ' || exit $${PIPESTATUS[0]}

## format: let clang-format rewrite the sources
format: deps-lint
	clang-format-14 -i $(SOURCES)
