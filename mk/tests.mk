# Tests: their programs, and the targets that run them.
##@ Tests

TLIB   := $(filter-out $(addprefix $B/tests/lib/,make_%.o probe_%.o %_shim.o),$(patsubst %.c,$B/%.o,$(wildcard tests/lib/*.c)))
UNIT   := $(patsubst %.c,$B/%,$(filter %.c,$(shell find tests/unit -name 'test_*.c' | sort)))
F64    := $(patsubst %.c,$B/%,$(wildcard tests/f64/test_*.c))

# The numbers once more in double precision, where gradients are proved against finite differences.
$B/f64/%.o: %.c | $B/gen/diffused.pb-c.h
	@mkdir -p $(@D); echo "  CC   $< (double)"
	$(Q)$(CC) $(OURS) -DDIFFUSE_DOUBLE $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$B/libtest.a: $(TLIB)
$B/libmodel-f64.a: $(patsubst $B/%,$B/f64/%,$(filter $B/model/base/% $B/model/text/% $B/model/wide/% $B/model/net/% $B/model/engine/% $B/model/train/denoise/denoise.o $B/model/train/denoise/contrast.o $B/model/train/denoise/teach.o,$(MODEL)) $B/proto/diffuse_err.o $B/proto/reason.o)

$B/tests/unit/%: $B/tests/unit/%.o $B/libtest.a $B/libdaemon.a $B/libverbs.a $B/libctl.a $B/libdiffuse.a $B/libmodel.a $B/libproto.a
	$(LINK)
	$(Q)$(CC) $(SAN) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $^ -lcmocka $(DAEMON_LIBS)

$B/tests/f64/%: $B/f64/tests/f64/%.o $B/libmodel-f64.a
	$(LINK)
	$(Q)$(CC) $(SAN) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $^ -lcmocka $(MODEL_LIBS)

# Libraries that tests preload. Never with a sanitizer: it must load before that.
$B/tests/%_shim.so: tests/lib/%_shim.c
	$(LINK)
	$(Q)$(CC) $(filter-out $(SAN),$(OURS)) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS) -shared -o $@ $<

$(filter %/test_crash,$(UNIT)): | $B/tests/fault_shim.so

# Programs that tests use to make their input.
$B/tests/make_%: $B/tests/lib/make_%.o $B/libmodel.a $B/libproto.a
	$(LINK)
	$(Q)$(CC) $(SAN) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $^ $(MODEL_LIBS)

# Programs that tests run against a daemon; they see the client library's public header only.
$B/tests/probe_%: $B/tests/lib/probe_%.o $B/libdiffuse.a
	$(LINK)
	$(Q)$(CC) $(SAN) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $^ -lcmocka $(CLIENT_LIBS)

$B/tests/fuzz_%: $B/tests/fuzz/fuzz_%.o $B/tests/fuzz/fuzz_driver.o $B/libtest.a $B/libctl.a $B/libdiffuse.a $B/libmodel.a $B/libproto.a
	$(LINK)
	$(Q)$(CC) $(SAN) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $^ $(MODEL_LIBS) $(CTL_LIBS)

$B/tests/fuzz_keyring: $(filter %/keyring.o,$(DAEMON))

EXPOSITION := $(filter %/test_exposition,$(UNIT))
LOGTEST    := $(filter %/test_log,$(UNIT))
.PHONY: documents
## documents: write docs/METRICS.md and systemd/diffused.catalog from the tables that they are held against
documents: $(EXPOSITION) $(LOGTEST)
	METRICS=docs/METRICS.md $(EXPOSITION) >/dev/null 2>&1
	CATALOG=systemd/diffused.catalog $(LOGTEST) >/dev/null 2>&1

# Each name is a program or script of tests/, run by tests/run: 0 passed, 9 skipped, else failed.
UNIT_NAMES   := $(patsubst $B/tests/%,%,$(UNIT) $(F64))
SYSTEM_NAMES := $(patsubst tests/%,%,$(wildcard $(foreach d,train tune system host recipes,tests/$d/[0-9][0-9][0-9]*)))
CHECK_NAMES  := $(patsubst tests/%,%,$(wildcard tests/check/*.sh tests/check/*.py))
# Not once more under a sanitizer: PyTorch and accuracy, the demo (118), speed (375), memory that the sanitizer itself takes, and what its allocator replaces.
SANITIZED    := $(filter-out train/03% system/118% system/150% system/375% host/365% host/367% host/370% host/380% host/385% recipes/40%,$(SYSTEM_NAMES))
# What has threads has something to show ThreadSanitizer. Whole training runs that are killed and go on (200) take
# minutes there; their threads are in 195, 197 and the unit tests.
# 300, 391, 395: reloads, a full disk and overload take one to five minutes each there; the threads that they pass
# between meet in 320 as well. 340: the recorder has one thread. 381: as another user, without its options. 114: ThreadSanitizer ends a program that loads a library late while it is told to pass over another one (OpenBLAS).
THREADED     := $(patsubst tests/%.c,%,$(shell grep -lrE --include='*.c' 'pthread|team_new|background_|watcher_|inflight_|tuner_queue_' tests/unit))
TSANITIZED   := $(filter-out $(foreach n,050 114 116 185 187 190 200 202 220 300 340 375 381 391 395,system/$n% train/$n% host/$n%),$(SANITIZED))
HELPERS      := $(patsubst tests/lib/%.c,$B/tests/%,$(wildcard tests/lib/make_*.c tests/lib/probe_*.c))
SHIMS        := $(patsubst tests/lib/%.c,$B/tests/%.so,$(wildcard tests/lib/*_shim.c))
FUZZ         := $(patsubst tests/fuzz/%.c,$B/tests/%,$(filter-out %/fuzz_driver.c,$(wildcard tests/fuzz/fuzz_*.c)))
TESTS        := $(HELPERS) $(SHIMS) $(if $(filter thread,$(SANITIZE)),$(addprefix $B/tests/,$(THREADED)),$(UNIT) $(F64) $(FUZZ))

## tests: build the programs and all tests, and run nothing
.PHONY: tests check check-plain check-asan check-tsan check-torch unit
tests: $(PROGRAMS) $(TESTS) $(if $(SANITIZE),,man)

# Whatever does not build counts as failed, in tests/run.
BUILD_TESTS = @echo "Building$(if $(1), with -fsanitize=$(1)) in $(2)"; $(SUBMAKE) -k --silent $(if $(1),SANITIZE=$(1)) B=$(2) tests \
    | grep -v '^  [A-Z]* ' || true

## check: install what is missing, build and run every test, once more under ASan+UBSan and TSan
check: deps-check
	$(call BUILD_TESTS,,$B)
	$(call BUILD_TESTS,address$(comma)undefined,$B/asan)
	$(call BUILD_TESTS,thread,$B/tsan)
	@tests/run -j $(JOBS) $(addprefix $B:,$(CHECK_NAMES) $(UNIT_NAMES) $(SYSTEM_NAMES)) \
	    $(addprefix $B/asan:,$(UNIT_NAMES) $(SANITIZED)) $(addprefix $B/tsan:,$(THREADED) $(TSANITIZED))

## check-plain: the same without sanitizers
check-plain: deps-check
	$(call BUILD_TESTS,$(SANITIZE),$B)
	@tests/run -j $(JOBS) $(addprefix $B:,$(CHECK_NAMES) $(UNIT_NAMES) $(SYSTEM_NAMES))

## check-asan: only under AddressSanitizer and UBSan
check-asan: deps-check
	$(call BUILD_TESTS,address$(comma)undefined,$B/asan)
	@tests/run -j $(JOBS) $(addprefix $B/asan:,$(UNIT_NAMES) $(SANITIZED))

## check-tsan: only under ThreadSanitizer
check-tsan: deps-check
	$(call BUILD_TESTS,thread,$B/tsan)
	@tests/run -j $(JOBS) $(addprefix $B/tsan:,$(THREADED) $(TSANITIZED))

## check-torch: install PyTorch (large) and compare the model with an independent one
check-torch: deps-torch
	$(call BUILD_TESTS,,$B)
	@tests/run -j $(JOBS) $(addprefix $B:,$(filter train/030%,$(SYSTEM_NAMES)))

.PHONY: check-recipes
## check-recipes: install the tools of docs/recipes (a broker, a data base, ROS), and run the recipes with all of them
check-recipes: deps-recipes
	$(call BUILD_TESTS,,$B)
	@tests/run $(addprefix $B:,$(filter recipes/40%,$(SYSTEM_NAMES)))

## unit: build and run the unit tests alone
unit: $(UNIT) $(F64)
	@tests/run -j $(JOBS) $(addprefix $B:,$(UNIT_NAMES))

# --- fuzzing --------------------------------------------------------------------------------------
.PHONY: fuzz
FUZZ_SECONDS ?= 60
## fuzz: install clang; each harness of tests/fuzz under libFuzzer and sanitizers for FUZZ_SECONDS (60), and what it covered
fuzz: deps-fuzz
	@$(SUBMAKE) --silent B=build/fuzz CC=clang-14 SANITIZE=fuzzer-no-link$(comma)address$(comma)undefined CPPFLAGS=-DFUZZ_LIBFUZZER \
	    LDFLAGS=-fsanitize=fuzzer $(patsubst $B/%,build/fuzz/%,$(FUZZ))
	@tests/fuzz/run.sh $(FUZZ_SECONDS) build/fuzz
