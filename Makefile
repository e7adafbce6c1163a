# diffused - all build, test and install rules. `make help` lists the targets.

VERSION := 0.1.0
PREFIX  ?= /usr/local
CC      ?= cc
SHELL   := /bin/bash
Q       := $(if $(V),,@)
# As many jobs as cores, unless make was told a number itself.
JOBS    ?= $(shell nproc)
SUBMAKE  = $(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(JOBS))

comma   := ,
ifdef SANITIZE
B       ?= build/san-$(subst $(comma),-,$(SANITIZE))
CFLAGS  ?= -O1 -g
SAN     := -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
else
B       ?= build
CFLAGS  ?= -O3 -g
endif

# What each task needs, as Debian packages. Nothing is installed but by a target that says so below.
DEBS_BUILD := gcc libc6-dev protobuf-c-compiler libprotobuf-c-dev libzmq3-dev libsystemd-dev \
              libopenblas-dev libjansson-dev libutf8proc-dev libsodium-dev libcsv-dev zlib1g-dev libinih-dev libmicrohttpd-dev libseccomp-dev
DEBS_CHECK := $(DEBS_BUILD) libcmocka-dev pkgconf protobuf-compiler python3-protobuf python3-zmq python3-prometheus-client mandoc bash-completion zsh g++ jq systemd-container
DEBS_LINT  := $(DEBS_BUILD) libcmocka-dev clang-format-14 cppcheck shellcheck pyflakes3
DEBS_RECIPES := $(DEBS_CHECK) curl mosquitto mosquitto-clients influxdb python3-rostopic python3-roslaunch rosout
DEBS_DEB   := $(DEBS_BUILD) build-essential debhelper lintian
DEBS_CHECK_DEB := $(DEBS_DEB) debootstrap systemd-container
DEBS_TORCH := $(DEBS_CHECK) python3-torch
DEBS_PEERS := python3 fasttext python3-sklearn
DEBS_BENCH := $(DEBS_CHECK) python3-numpy
DEBS_ARM64 := gcc-aarch64-linux-gnu qemu-user-static mmdebstrap protobuf-c-compiler

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
        -Wvla -Wformat=2 -Wpointer-arith -Wundef -Werror=unused-result
OURS := -std=c17 -I. -I$B/gen -D_GNU_SOURCE -DDIFFUSE_VERSION='"$(VERSION)"' -fPIC -fvisibility=hidden \
        -fno-common -fno-math-errno -ffp-contract=fast -pthread $(WARN) $(WERROR) $(SAN)
# Generated code is not ours to warn about.
GENFLAGS := -std=c17 -I$B/gen -fPIC -fvisibility=hidden $(SAN)

MODEL_LIBS  := -lopenblas -ljansson -lutf8proc -lsodium -lcsv -lz -lm
DAEMON_LIBS := -lzmq -lprotobuf-c -lsystemd -linih -lseccomp $(MODEL_LIBS)
CLIENT_LIBS := -lzmq -lprotobuf-c
CTL_LIBS    := $(CLIENT_LIBS) -ljansson -lz -lm

objects = $(patsubst %.c,$B/%.o,$(wildcard $(1)))
PROTO  := $(call objects,proto/*.c keys/*.c) $B/gen/diffused.pb-c.o
MODEL  := $(call objects,$(foreach d,base text wide net engine ckpt data train tune,model/$d/*.c))
TOOL   := $(call objects,model/tool/*.c)
DAEMON := $(filter-out $B/daemon/main.o,$(call objects,daemon/*.c))
CLIENT := $(call objects,client/*.c)
CTL    := $(call objects,client/ctl/*.c)
TLIB   := $(filter-out $(addprefix $B/tests/lib/,make_%.o probe_%.o %_shim.o),$(call objects,tests/lib/*.c))
UNIT   := $(patsubst tests/unit/%.c,$B/tests/unit/%,$(wildcard tests/unit/test_*.c))
F64    := $(patsubst tests/f64/%.c,$B/tests/f64/%,$(wildcard tests/f64/test_*.c))
PROGRAMS := $B/diffuse $B/diffused $B/diffusectl $B/libdiffuse.so.0 $B/libdiffuse.a

.PHONY: all
## all: build the daemon, the model tool, the client library and its tool (plain `make`)
all: $(PROGRAMS)

# --- packages --------------------------------------------------------------------------------------
.PHONY: deps deps-check deps-lint deps-recipes deps-deb deps-check-deb deps-torch deps-peers deps-bench deps-arm64
## deps: install what the build needs (Debian packages; as root or through sudo)
deps: ; $(call install,$(DEBS_BUILD))
deps-check: ; $(call install,$(DEBS_CHECK))
deps-lint: ; $(call install,$(DEBS_LINT))
deps-recipes: ; $(call install,$(DEBS_RECIPES))
deps-deb: ; $(call install,$(DEBS_DEB))
deps-check-deb: ; $(call install,$(DEBS_CHECK_DEB))
deps-torch: ; $(call install,$(DEBS_TORCH))
deps-peers: ; $(call install,$(DEBS_PEERS))
deps-bench: ; $(call install,$(DEBS_BENCH))
deps-arm64: ; $(call install,$(DEBS_ARM64))

# Asks dpkg first, so that it costs nothing when everything is there.
define install
@command -v dpkg-query >/dev/null || { echo "deps: no dpkg here; install these by hand: $(1)" >&2; exit 1; }; \
have=" $$(dpkg-query -W -f='$${Package}=$${db:Status-Status} ' $(1) 2>/dev/null)"; \
for p in $(1); do [[ $$have == *" $$p=installed "* ]] || missing+=" $$p"; done; \
[ -n "$$missing" ] || exit 0; \
if [ "$$(id -u)" = 0 ]; then as=env; elif command -v sudo >/dev/null; then as="sudo env"; \
else echo "deps: neither root nor sudo; have an administrator run: apt-get install$$missing" >&2; exit 1; fi; \
log=$$(mktemp); trap 'rm -f "$$log"' EXIT; get="$$as DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300"; \
echo "Installing$$missing (this may take a few minutes)"; \
{ $$get update && $$get install -y --no-install-recommends $$missing; } >"$$log" 2>&1 \
    || { tail -n 20 "$$log" >&2; echo "deps: not installed:$$missing" >&2; exit 1; }
endef

# Looked for once, so that what is missing is named before a compiler stumbles over it.
HEADERS := zmq.h protobuf-c/protobuf-c.h systemd/sd-daemon.h cblas.h jansson.h ini.h utf8proc.h sodium.h csv.h zlib.h microhttpd.h seccomp.h
$B/.tools:
	@for t in $(firstword $(CC)) protoc-c; do command -v $$t >/dev/null || missing+=" $$t"; done; \
	[ -n "$$missing" ] || for h in $(HEADERS); do \
	    printf '#include <stdio.h>\n#include <%s>\n' $$h | $(CC) $(CPPFLAGS) -E -o /dev/null -x c - 2>/dev/null || missing+=" <$$h>"; done; \
	[ -z "$$missing" ] || { echo "missing:$$missing; 'make deps' installs what the build needs" >&2; exit 1; }
	@mkdir -p $(@D); touch $@

# --- generated -------------------------------------------------------------------------------------
$B/gen/diffused.pb-c.c $B/gen/diffused.pb-c.h &: proto/diffused.proto | $B/.tools
	@mkdir -p $B/gen; echo "  GEN  $<"
	$(Q)protoc-c --proto_path=proto --c_out=$B/gen $<

$B/gen/%.o: $B/gen/%.c
	@echo "  CC   $<"
	$(Q)$(CC) $(GENFLAGS) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

# --- objects ---------------------------------------------------------------------------------------
$B/%.o: %.c | $B/gen/diffused.pb-c.h
	@mkdir -p $(@D); echo "  CC   $<"
	$(Q)$(CC) $(OURS) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# The numbers once more in double precision, where gradients are proved against finite differences.
$B/f64/%.o: %.c | $B/gen/diffused.pb-c.h
	@mkdir -p $(@D); echo "  CC   $< (double)"
	$(Q)$(CC) $(OURS) -DDIFFUSE_DOUBLE $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$B/libproto.a: $(PROTO)
$B/libmodel.a: $(MODEL)
$B/libdaemon.a: $(DAEMON)
$B/libverbs.a: $(filter-out $B/model/tool/diffuse_main.o,$(TOOL))
$B/libctl.a: $(filter-out $B/client/ctl/diffusectl.o,$(CTL))
$B/libtest.a: $(TLIB)
$B/libdiffuse.a: $(CLIENT) $(PROTO)
$B/libmodel-f64.a: $(patsubst $B/%,$B/f64/%,$(filter $B/model/base/% $B/model/text/% $B/model/wide/% $B/model/net/% $B/model/engine/% $B/model/train/denoise.o $B/model/train/contrast.o,$(MODEL)) $B/proto/diffuse_err.o $B/proto/reason.o)
$B/%.a:
	@echo "  AR   $@"; rm -f $@
	$(Q)$(AR) rcs $@ $^

# --- programs --------------------------------------------------------------------------------------
LINK = @echo "  LINK $@"; mkdir -p $(@D)
$B/diffuse: $(TOOL) $B/libmodel.a $B/libproto.a
	$(LINK)
	$(Q)$(CC) $(SAN) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $^ $(MODEL_LIBS)

$B/diffused: $B/daemon/main.o $B/libdaemon.a $B/libmodel.a $B/libproto.a
	$(LINK)
	$(Q)$(CC) $(SAN) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $^ $(DAEMON_LIBS)

$B/libdiffuse.so.0: $(CLIENT) $(PROTO) client/diffuse.map
	$(LINK)
	$(Q)$(CC) $(SAN) $(CFLAGS) $(LDFLAGS) -shared -Wl,-soname,libdiffuse.so.0 \
	    -Wl,--version-script=client/diffuse.map -o $@ $(CLIENT) $(PROTO) $(CLIENT_LIBS)
	$(Q)ln -sf libdiffuse.so.0 $B/libdiffuse.so

# The tool is linked to the static library, so that it runs from the build folder and wherever it is copied.
$B/diffusectl: $(CTL) $B/libdiffuse.a
	$(LINK)
	$(Q)$(CC) $(SAN) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $^ $(CTL_LIBS)

# --- manual and completion -------------------------------------------------------------------------
# Both are made from what the programs themselves say, and from the tables that they are compiled from.
$B/tables: $B/docs/man/tables.o
	$(LINK)
	$(Q)$(CC) $(SAN) $(CFLAGS) $(LDFLAGS) -o $@ $^

.PHONY: man
## man: manual pages into build/man, and completions for bash and zsh into build/completion
man: $B/man/.made $B/completion/.made
$B/man/.made: $(wildcard docs/man/* docs/man/verbs/*) daemon/diffused.conf client/diffuse.h client/diffuse_relay.h $B/diffuse $B/diffused $B/diffusectl $B/tables
	@echo "  MAN  $(@D)"; rm -rf $(@D)
	$(Q)docs/man/make.sh $B && touch $@
$B/completion/.made: $(wildcard docs/completion/*) $B/man/.made
	@echo "  COMP $(@D)"
	$(Q)docs/completion/make.sh $B && touch $@

# --- tests -----------------------------------------------------------------------------------------
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

$B/tests/unit/test_crash: | $B/tests/fault_shim.so

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

$B/tests/fuzz_keyring: $B/daemon/keyring.o

# Programs that measure.
$B/tests/%_sim: $B/tests/bench/%_sim.o $B/libmodel.a $B/libproto.a
	$(LINK)
	$(Q)$(CC) $(SAN) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $^ $(MODEL_LIBS)

$B/tests/%_speed: $B/tests/bench/%_speed.o $B/libmodel.a $B/libproto.a
	$(LINK)
	$(Q)$(CC) $(SAN) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $^ $(MODEL_LIBS)

$B/tests/load_gen: $B/tests/bench/load_gen.o $B/libproto.a
	$(LINK)
	$(Q)$(CC) $(SAN) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $^ $(CLIENT_LIBS)

.PHONY: tune-sim
## tune-sim: build the offline simulator of tuning, build/tests/tune_sim
tune-sim: $B/tests/tune_sim

.PHONY: documents
## documents: write docs/METRICS.md and systemd/diffused.catalog from the tables that they are held against
documents: $B/tests/unit/test_exposition $B/tests/unit/test_log
	METRICS=docs/METRICS.md $B/tests/unit/test_exposition >/dev/null 2>&1
	CATALOG=systemd/diffused.catalog $B/tests/unit/test_log >/dev/null 2>&1

.PHONY: segment-speed
## segment-speed: tokens a second of texts that grow, beside whole ones; into docs/results/segments
segment-speed: $B/tests/segment_speed
	$B/tests/segment_speed 0.3 >docs/results/segments/speed.csv

.PHONY: engine-speed
## engine-speed: every kernel and precision beside OpenBLAS's own rate; into docs/results/engine (3 minutes)
engine-speed: $B/tests/engine_speed
	$B/tests/engine_speed 0.3 >docs/results/engine/speed.csv

.PHONY: segments-soak
## segments-soak: one stream of 50 million tokens and 4,096 at once through a daemon; into docs/results/segments (2 minutes)
segments-soak: deps-check
	@$(SUBMAKE) --silent $B/diffused $B/tests/make_model
	B=$B tests/bench/segment_soak.py $(SOAK)

# --- demo ------------------------------------------------------------------------------------------
$B/fleet_demo: $(call objects,client/demo/*.c) $B/libdiffuse.a
	$(LINK)
	$(Q)$(CC) $(SAN) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $^ $(CLIENT_LIBS)

.PHONY: demo
## demo: install what is missing, build, and show a made-up robot fleet being classified live
demo: deps
	@$(SUBMAKE) --silent $(PROGRAMS) $B/fleet_demo
	@$B/fleet_demo $(DEMO)

# --- checking --------------------------------------------------------------------------------------
# Each name is a program or script of tests/, run by tests/run: 0 passed, 9 skipped, else failed.
UNIT_NAMES   := $(patsubst tests/%.c,%,$(wildcard tests/unit/test_*.c tests/f64/test_*.c))
SYSTEM_NAMES := $(patsubst tests/%,%,$(wildcard tests/system/[0-9][0-9][0-9]*))
CHECK_NAMES  := $(patsubst tests/%,%,$(wildcard tests/check/*.sh))
# Not once more under a sanitizer: PyTorch, memory that the sanitizer itself takes, and what its allocator replaces.
SANITIZED    := $(filter-out system/030% system/150% system/365% system/367% system/370% system/380% system/385% system/40%,$(SYSTEM_NAMES))
# What has threads has something to show ThreadSanitizer. Whole training runs that are killed and go on (200) take
# minutes there; their threads are in 195, 197 and the unit tests.
# 381: as another user, without its options. 114: ThreadSanitizer ends a program that loads a library late while it is told to pass over another one (OpenBLAS).
THREADED     := $(patsubst tests/%.c,%,$(shell grep -lE 'pthread|team_new|aside_|watcher_|inflight_|tunebox_' tests/unit/*.c))
TSANITIZED   := $(filter-out $(foreach n,050 114 116 185 187 190 200 202 220 375 381,system/$n%),$(SANITIZED))
HELPERS      := $(patsubst tests/lib/%.c,$B/tests/%,$(wildcard tests/lib/make_*.c tests/lib/probe_*.c))
SHIMS        := $(patsubst tests/lib/%.c,$B/tests/%.so,$(wildcard tests/lib/*_shim.c))
FUZZ         := $(patsubst tests/fuzz/%.c,$B/tests/%,$(filter-out %/fuzz_driver.c,$(wildcard tests/fuzz/fuzz_*.c)))
TESTS        := $(HELPERS) $(SHIMS) $(if $(filter thread,$(SANITIZE)),$(addprefix $B/tests/,$(THREADED)),$(UNIT) $(F64) $(FUZZ))

.PHONY: tests check check-plain check-asan check-tsan check-torch unit
tests: $(PROGRAMS) $B/fleet_demo $(TESTS) $(if $(SANITIZE),,man)

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
	@tests/run -j $(JOBS) $(addprefix $B:,$(filter system/030%,$(SYSTEM_NAMES)))

.PHONY: check-recipes
## check-recipes: install the tools of docs/recipes (a broker, a data base, ROS), and run the recipes with all of them
check-recipes: deps-recipes
	$(call BUILD_TESTS,,$B)
	@tests/run $(addprefix $B:,$(filter system/40%,$(SYSTEM_NAMES)))

## unit: build and run the unit tests alone
unit: $(UNIT) $(F64)
	@tests/run -j $(JOBS) $(addprefix $B:,$(UNIT_NAMES))

# --- aarch64 ---------------------------------------------------------------------------------------
# Built by a cross compiler against the libraries of an unpacked Debian tree, and run by qemu.
ARM      := build/arm64
ARM_ROOT := $(CURDIR)/$(ARM)/root
ARM_BLAS := usr/lib/aarch64-linux-gnu/openblas-pthread
ARM_DEBS := $(comma)$(subst $() ,$(comma),$(strip $(filter lib% zlib%,$(DEBS_CHECK))))
# It starts itself again with a library preloaded, which qemu does not do.
ARM_UNIT := $(filter-out unit/test_crash,$(UNIT_NAMES))
arm_run   = qemu-aarch64-static -cpu $(1) -L $(ARM_ROOT) -E LD_LIBRARY_PATH=/$(ARM_BLAS)

# Made anew when what is in it changes.
ARM_DONE := $(ARM_ROOT)/.of-$(firstword $(shell echo '$(ARM_DEBS)' | cksum))
$(ARM_DONE): | deps-arm64
	@echo "  TREE $(@D)"; rm -rf $(@D); mkdir -p $(ARM)
	$(Q)mmdebstrap --quiet --arch=arm64 --variant=extract --mode=root --include=libc6-dev$(ARM_DEBS) bookworm $(@D)
	$(Q)touch $@

.PHONY: arm64 check-arm64
## arm64: cross-build programs and tests for aarch64 into build/arm64 (as root)
arm64: deps-arm64 $(ARM_DONE)
	+@$(SUBMAKE) --silent B=$(ARM) AR=aarch64-linux-gnu-ar CC="aarch64-linux-gnu-gcc --sysroot=$(ARM_ROOT)" \
	    CPPFLAGS="-isystem $(ARM_ROOT)/usr/include/aarch64-linux-gnu/openblas-pthread -isystem $(ARM_ROOT)/usr/include/aarch64-linux-gnu" \
	    LDFLAGS="-L$(ARM_ROOT)/$(ARM_BLAS) $(foreach d,$(ARM_BLAS) usr/lib/aarch64-linux-gnu,-Wl$(comma)-rpath-link$(comma)$(ARM_ROOT)/$d)" \
	    $(patsubst $B/%,$(ARM)/%,$(PROGRAMS) $(TESTS))

## check-arm64: run the unit tests for aarch64 under qemu, the kernels' once more without dot products (as root; half an hour)
check-arm64: arm64
	@TEST_EMULATOR="$(call arm_run,cortex-a76)" TEST_TIMEOUT=1800 tests/run -j $(JOBS) $(addprefix $(ARM):,$(ARM_UNIT))
	@TEST_EMULATOR="$(call arm_run,cortex-a53)" TEST_TIMEOUT=1800 tests/run -j $(JOBS) $(addprefix $(ARM):,$(filter unit/test_engine%,$(ARM_UNIT)))

# --- results ---------------------------------------------------------------------------------------
# Folders of DATA, as KIND:FOLDER; those that are not there are left out. Quick ones first.
PEER_SETS := tsv:huric_robot_commands tsv:drone_log_severity tsv:hwu64 tsv:intent_snips tsv:clinc150 ag_news:ag_news imdb:aclImdb

.PHONY: peers results-table train-speed
## peers: install fastText and scikit-learn, tune and score them on the data sets in DATA=FOLDER
peers: deps-peers
	@[ -d "$(DATA)" ] || { echo "peers: say where the data sets are: make peers DATA=FOLDER ($(PEER_SETS))" >&2; exit 2; }
	@for s in $(PEER_SETS); do [ ! -d "$(DATA)/$${s#*:}" ] || { spec="$${s%%:*}:$(DATA)/$${s#*:}"; \
	    tests/peers/svm_peer.py "$$spec" && tests/peers/fasttext_peer.py "$$spec"; } || exit 1; done

$B/tests/sgemm_limit: $B/tests/peers/sgemm_limit.o $B/libmodel.a $B/libproto.a
	$(LINK)
	$(Q)$(CC) $(SAN) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $^ $(MODEL_LIBS)

## train-speed: install PyTorch (large), and time diffuse train beside it and beside OpenBLAS alone
train-speed: deps deps-torch
	@$(SUBMAKE) --silent $B/diffuse $B/tests/sgemm_limit
	tests/peers/train_speed.py --build $B $(if $(DATA),--data ag_news:$(DATA)/ag_news)

.PHONY: bench bench-compare
## bench: the daemon end to end beside the model alone; into docs/results/bench (a minute; DATA=FOLDER: on its ag_news; BENCH=OPTIONS)
bench: deps-bench
	@$(SUBMAKE) --silent $(PROGRAMS) $B/tests/load_gen
	tests/bench/daemon_bench.py --build $B $(if $(DATA),--data ag_news:$(DATA)/ag_news) $(BENCH)

## bench-compare: the same of this tree and of revision BASE=REV by turns, as ratios
bench-compare: deps-bench
	@[ -n "$(BASE)" ] || { echo "bench-compare: say with what to compare: make bench-compare BASE=REVISION" >&2; exit 2; }
	@$(SUBMAKE) --silent $(PROGRAMS) $B/tests/load_gen
	@mkdir -p build/compare; rev=$$(git rev-parse --short "$(BASE)^{commit}") && base=build/compare/$$rev \
	    && { [ -d $$base ] || git worktree add --quiet --detach --force $$base $$rev >/dev/null; } \
	    && $(MAKE) --silent --no-print-directory -C $$base all B=build \
	    && tests/bench/daemon_bench.py --build $B --base $$base/build $(if $(DATA),--data ag_news:$(DATA)/ag_news) $(BENCH)

.PHONY: bench-peers
## bench-peers: install fastText and PyTorch (large), and time them beside diffused on DATA=FOLDER's ag_news; into docs/results/speed (6 minutes)
bench-peers: deps-bench deps-torch deps-peers
	@[ -d "$(DATA)/ag_news" ] || { echo "bench-peers: say where ag_news is: make bench-peers DATA=FOLDER" >&2; exit 2; }
	@$(SUBMAKE) --silent $(PROGRAMS)
	tests/peers/speed.py --build $B --data ag_news:$(DATA)/ag_news

# Folders of DATA with train.tsv and test.tsv.
TUNE_SETS := clinc150 hwu64
need_sets = [ -d "$(DATA)" ] || { echo "$@: say where the data sets are: make $@ DATA=FOLDER ($(TUNE_SETS))" >&2; exit 2; }

.PHONY: tune-bench tune-latency
## tune-bench: learning curves of online tuning on the data sets in DATA=FOLDER, through a running daemon (an hour a set)
tune-bench: deps-bench
	@$(need_sets)
	@$(SUBMAKE) --silent $(PROGRAMS)
	@for s in $(TUNE_SETS); do [ ! -d "$(DATA)/$$s" ] || tests/bench/tune_curve.py "$(DATA)/$$s" --out docs/results/tuning/$$s --build $B || exit 1; done
	tests/bench/tune_results.py docs/results/tuning

## tune-latency: latency of labels with tuning off and on by turns, on the first set in DATA=FOLDER
tune-latency: deps-bench
	@$(need_sets)
	@$(SUBMAKE) --silent $(PROGRAMS)
	tests/bench/tune_latency.py "$(DATA)/$(firstword $(TUNE_SETS))" --out docs/results/tuning/latency.json --build $B
	tests/bench/tune_results.py docs/results/tuning

.PHONY: reload-storm kill-storm
## kill-storm: kill -9 a tuning daemon at 200 random writes, fsyncs and renames; into docs/results/tuning
kill-storm: deps-check
	@$(SUBMAKE) --silent tests
	@mkdir -p docs/results/tuning
	KILLS=200 KILL_OUT=docs/results/tuning/kill.json tests/system/330-kill.py

## reload-storm: 100 reloads under full load, every 7th file damaged; what they cost those who are served (STORM=OPTIONS)
reload-storm: deps-check
	@$(SUBMAKE) --silent $B/diffused $B/tests/make_model
	B=$B tests/bench/reload_storm.py $(STORM)

.PHONY: fairness
## fairness: the p99 of a quiet stream alone and beside a flood; into docs/results/fairness (FAIRNESS=OPTIONS)
fairness: deps-check
	@$(SUBMAKE) --silent $B/diffused $B/tests/make_model
	B=$B tests/bench/fairness.py $(FAIRNESS)

.PHONY: memory-soak
## memory-soak: an hour of messages (360,000) three times over in a cgroup of exactly the plan, and 10,000 connections; into docs/results/memory (as root)
memory-soak: deps-check
	@$(SUBMAKE) --silent $B/diffused $B/tests/make_model
	@mkdir -p docs/results/memory
	SOAK_ROWS=360000 SOAK_OUT=docs/results/memory/cgroup.json B=$B tests/system/365-cgroup.py >$B/memory-soak.log
	PEERS_CHURN=10000 B=$B tests/system/360-peers.py | tee docs/results/memory/peers.txt

## results-table: write the README's section on results from docs/results
results-table:
	@tests/peers/table.py

# --- lint ------------------------------------------------------------------------------------------
SOURCES := $(sort $(wildcard $(foreach d,proto keys model/* client client/* daemon docs/man tests/*,$d/*.c $d/*.h)))
SCRIPTS := $(wildcard tests/run tests/check/*.sh tests/lib/*.sh tests/deb/*.sh tests/system/*.sh docs/*/*.sh systemd/debian/*.sh .ci/run)
CPPCHECK := cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
    --suppress=missingIncludeSystem -I. -D_GNU_SOURCE -DDIFFUSE_VERSION='"$(VERSION)"' -D__linux__

.PHONY: lint format
## lint: install what is missing; formatting, static analysis of C, shell and Python, no warnings
lint: deps-lint
	@echo "clang-format"; clang-format-14 --dry-run -Werror $(SOURCES)
	@echo "cppcheck"; mkdir -p $B/cppcheck; $(CPPCHECK) -j $(JOBS) --cppcheck-build-dir=$B/cppcheck $(filter %.c,$(SOURCES))
	@echo "shellcheck"; shellcheck -x $(SCRIPTS)
	@echo "pyflakes"; pyflakes3 $(wildcard tests/*/*.py tests/*/*/*.py)
	@echo "cc -Werror"; $(SUBMAKE) --silent B=$B/werror WERROR=-Werror tests | grep -v '^  [A-Z]* ' || exit $${PIPESTATUS[0]}

## format: let clang-format rewrite the sources
format: deps-lint
	clang-format-14 -i $(SOURCES)

# --- install ---------------------------------------------------------------------------------------
BINDIR      ?= $(PREFIX)/bin
LIBDIR      ?= $(PREFIX)/lib
INCLUDEDIR  ?= $(PREFIX)/include
DATADIR     ?= $(PREFIX)/share/diffused
DOCDIR      ?= $(PREFIX)/share/doc/diffused
SYSCONFDIR  ?= /etc
UNITDIR     ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
PRESETDIR   ?= $(PREFIX)/lib/systemd/system-preset
CATALOGDIR  ?= $(PREFIX)/lib/systemd/catalog
MANDIR      ?= $(PREFIX)/share/man
BASHCOMPDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHCOMPDIR  ?= $(PREFIX)/share/zsh/site-functions
PRETRAINED  := $(wildcard model/pretrained/*.safetensors)
DOCS        := README.md NEWS LICENSE

# What docs/man/make.sh makes.
PAGES = $(foreach t,$(notdir $(basename $(wildcard docs/man/*.in))),man$(subst .,,$(suffix $t))/$t) \
    $(patsubst %,man3/%.3,$(shell docs/man/calls.sh))

DROP_INS    := $(notdir $(wildcard systemd/drop-in/*.conf))

# UNIT,TITLE,NAME,CONF: the one daemon's unit, and the template of several, from the same source.
unit = sed 's|@UNIT@|$(1)|; s|@TITLE@|$(2)|; s|@NAME@|$(3)|; s|@CONF@|$(4)|; s|@BINDIR@|$(BINDIR)|; s|@SYSCONFDIR@|$(SYSCONFDIR)|; s|@DATADIR@|$(DATADIR)|' \
    systemd/diffused.service.in >$(5)/$(1)

INSTALLED = $(addprefix $(BINDIR)/,diffused diffuse diffusectl) \
    $(addprefix $(LIBDIR)/,libdiffuse.so.0 libdiffuse.so libdiffuse.a pkgconfig/diffuse.pc) \
    $(addprefix $(INCLUDEDIR)/,diffuse.h diffuse_relay.h diffuse_err.h) $(addprefix $(DATADIR)/,$(notdir $(PRETRAINED)) diffused.proto) \
    $(addprefix $(UNITDIR)/,diffused.service diffused@.service) $(addprefix $(DATADIR)/systemd/,$(DROP_INS)) \
    $(SYSUSERSDIR)/diffused.conf $(TMPFILESDIR)/diffused.conf $(PRESETDIR)/90-diffused.preset \
    $(CATALOGDIR)/diffused.catalog $(addprefix $(DOCDIR)/,$(DOCS)) \
    $(addprefix $(MANDIR)/,$(PAGES)) $(foreach p,diffused diffuse diffusectl,$(BASHCOMPDIR)/$p $(ZSHCOMPDIR)/_$p)

.PHONY: install uninstall units
units:
	@$(call unit,diffused.service,Text stream classifier,diffused,diffused,$(UNITS))
	@$(call unit,diffused@.service,Text stream classifier (%i),diffused-%i,%i,$(UNITS))

## install: into $(DESTDIR)$(PREFIX); a configuration that is there stays as it is
install: all man
	@install -d $(addprefix $(DESTDIR),$(BINDIR) $(LIBDIR)/pkgconfig $(INCLUDEDIR) $(DATADIR) $(DOCDIR) $(UNITDIR) $(CATALOGDIR) \
	    $(SYSUSERSDIR) $(TMPFILESDIR) $(PRESETDIR) $(DATADIR)/systemd $(SYSCONFDIR)/diffused)
	install -m 755 $B/diffused $B/diffuse $B/diffusectl $(DESTDIR)$(BINDIR)
	install -m 644 $B/libdiffuse.so.0 $B/libdiffuse.a $(DESTDIR)$(LIBDIR)
	ln -sf libdiffuse.so.0 $(DESTDIR)$(LIBDIR)/libdiffuse.so
	install -m 644 client/diffuse.h client/diffuse_relay.h proto/diffuse_err.h $(DESTDIR)$(INCLUDEDIR)
	sed 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; s|@VERSION@|$(VERSION)|' client/diffuse.pc.in >$(DESTDIR)$(LIBDIR)/pkgconfig/diffuse.pc
	$(if $(PRETRAINED),install -m 644 $(PRETRAINED) $(DESTDIR)$(DATADIR))
	install -m 644 proto/diffused.proto $(DESTDIR)$(DATADIR)
	@$(SUBMAKE) --silent units UNITS=$(DESTDIR)$(UNITDIR)
	install -m 644 $(addprefix systemd/drop-in/,$(DROP_INS)) $(DESTDIR)$(DATADIR)/systemd
	install -m 644 systemd/diffused.sysusers $(DESTDIR)$(SYSUSERSDIR)/diffused.conf
	install -m 644 systemd/diffused.tmpfiles $(DESTDIR)$(TMPFILESDIR)/diffused.conf
	install -m 644 systemd/90-diffused.preset $(DESTDIR)$(PRESETDIR)
	install -m 644 systemd/diffused.catalog $(DESTDIR)$(CATALOGDIR)
	install -m 644 $(DOCS) $(DESTDIR)$(DOCDIR)
	@install -d $(addprefix $(DESTDIR),$(addprefix $(MANDIR)/man,1 3 5 7 8) $(BASHCOMPDIR) $(ZSHCOMPDIR))
	for s in 1 3 5 7 8; do install -m 644 $B/man/man$$s/* $(DESTDIR)$(MANDIR)/man$$s; done
	install -m 644 $B/completion/bash/* $(DESTDIR)$(BASHCOMPDIR)
	install -m 644 $B/completion/zsh/* $(DESTDIR)$(ZSHCOMPDIR)
	sed 's|^model = .*|model = $(DATADIR)/robot-text.safetensors|' daemon/diffused.conf >$(DESTDIR)$(SYSCONFDIR)/diffused/diffused.conf.example
	[ -e $(DESTDIR)$(SYSCONFDIR)/diffused/diffused.conf ] || \
	    install -m 644 $(DESTDIR)$(SYSCONFDIR)/diffused/diffused.conf.example $(DESTDIR)$(SYSCONFDIR)/diffused/diffused.conf

## uninstall: remove what install put there; the configuration stays
uninstall:
	rm -f $(addprefix $(DESTDIR),$(INSTALLED)) $(DESTDIR)$(SYSCONFDIR)/diffused/diffused.conf.example
	rmdir --ignore-fail-on-non-empty $(addprefix $(DESTDIR),$(DATADIR)/systemd $(DATADIR) $(DOCDIR)) 2>/dev/null || true

# --- Debian packages -------------------------------------------------------------------------------
# A higher one is an upgrade of the same version.
DEB_REVISION ?= 1

.PHONY: deb check-deb
## deb: install what is missing; Debian packages of daemon, tools and library into build/deb, past lintian
deb: deps-deb
	@systemd/debian/build.sh $B $(VERSION) $(DEB_REVISION) $(filter-out gcc libc6-dev,$(DEBS_BUILD))
	@echo "lintian"; lintian --allow-root --fail-on error $B/deb/diffused_$(VERSION)-$(DEB_REVISION)_*.changes

## check-deb: install, upgrade, remove and purge the packages in a fresh Debian under a booted systemd (as root; minutes, and a network)
check-deb: deps-check-deb
	@$(MAKE) --no-print-directory deb DEB_REVISION=1
	@$(MAKE) --no-print-directory deb DEB_REVISION=2
	B=$B tests/deb/check.sh

## clean: remove everything that was built
.PHONY: clean
clean:
	rm -rf build

## help: this list
.PHONY: help
help:
	@sed -n 's/^## \([a-z-]*\): /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

.SECONDARY:
-include $(shell find $B -type f -name '*.d' 2>/dev/null)
