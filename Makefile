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
# Compilers tell it to the code in ways of their own.
SAN     := -DSANITIZED -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
else
B       ?= build
CFLAGS  ?= -O3 -g
endif

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

# All C files below the given folders, and the objects that they become.
c_files = $(sort $(shell find $(wildcard $(1)) -name '*.c'))
objects = $(patsubst %.c,$B/%.o,$(call c_files,$(1)))
PROTO   := $(call objects,proto keys) $B/gen/diffused.pb-c.o
MODEL   := $(call objects,$(addprefix model/,base text wide net engine ckpt data train tune))
TOOL    := $(call objects,model/tool)
DAEMON  := $(filter-out $B/daemon/main.o,$(call objects,daemon))
CLIENT  := $(patsubst %.c,$B/%.o,$(wildcard client/call/*.c client/link/*.c))
CTL     := $(call objects,client/ctl client/relay)
PROGRAMS := $B/diffuse $B/diffused $B/diffusectl $B/libdiffuse.so.0 $B/libdiffuse.a

.DEFAULT_GOAL := all
.PHONY: all
##@ Build and install
## all: build the daemon, the model tool, the client library and its tool (plain `make`)
all: $(PROGRAMS)


# --- generated ------------------------------------------------------------------------------------
$B/gen/diffused.pb-c.c $B/gen/diffused.pb-c.h &: proto/diffused.proto | $B/.tools
	@mkdir -p $B/gen; echo "  GEN  $<"
	$(Q)protoc-c --proto_path=proto --c_out=$B/gen $<

$B/gen/%.o: $B/gen/%.c
	@echo "  CC   $<"
	$(Q)$(CC) $(GENFLAGS) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

# --- objects --------------------------------------------------------------------------------------
$B/%.o: %.c | $B/gen/diffused.pb-c.h
	@mkdir -p $(@D); echo "  CC   $<"
	$(Q)$(CC) $(OURS) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# Instruction sets: GCC reads them in the kernels' own files, Clang takes them as options only.
ifneq ($(findstring clang,$(CC)),)
AVX512 := -mavx512f -mavx512bw -mavx512vl -mavx512dq -mprefer-vector-width=512
%/kernel_avx2.o: CFLAGS += -mavx2 -mfma
%/kernel_avx512.o: CFLAGS += $(AVX512)
%/kernel_vnni.o: CFLAGS += $(AVX512) -mavx512vnni
%/kernel_bf16.o: CFLAGS += $(AVX512) -mavx512bf16
%/kernel_dotprod.o: CFLAGS += $(if $(filter aarch64,$(shell uname -m)),-march=armv8.2-a+dotprod)
endif

$B/libproto.a: $(PROTO)
$B/libmodel.a: $(MODEL)
$B/libdaemon.a: $(DAEMON)
$B/libverbs.a: $(filter-out $B/model/tool/diffuse_main.o,$(TOOL))
$B/libctl.a: $(filter-out $B/client/ctl/diffusectl.o,$(CTL))
$B/libdiffuse.a: $(CLIENT) $(PROTO)
$B/%.a:
	@echo "  AR   $@"; rm -f $@
	$(Q)$(AR) rcs $@ $^

# --- programs -------------------------------------------------------------------------------------
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

# --- manual and completion ------------------------------------------------------------------------
# Both are made from what the programs themselves say, and from the tables that they are compiled from.
$B/tables: $B/docs/man/tables.o
	$(LINK)
	$(Q)$(CC) $(SAN) $(CFLAGS) $(LDFLAGS) -o $@ $^

.PHONY: man
## man: manual pages into build/man, and completions for bash and zsh into build/completion
man: $B/man/.made $B/completion/.made
$B/man/.made: $(wildcard docs/man/* docs/man/verbs/*) daemon/diffused.conf client/diffuse.h $B/diffuse $B/diffused $B/diffusectl $B/tables
	@echo "  MAN  $(@D)"; rm -rf $(@D)
	$(Q)docs/man/make.sh $B && touch $@
$B/completion/.made: $(wildcard docs/completion/*) $B/man/.made
	@echo "  COMP $(@D)"
	$(Q)docs/completion/make.sh $B && touch $@

# --- demo -----------------------------------------------------------------------------------------
.PHONY: demo
## demo: install what is missing, build, and show a made-up robot fleet being classified live
demo: deps-demo
	@$(SUBMAKE) --silent $(PROGRAMS)
	@client/demo/fleet.py $B $(DEMO)

# --- the rest -------------------------------------------------------------------------------------
# Each part names the packages, objects and targets of its subject.
include mk/install.mk mk/deps.mk mk/tests.mk mk/bench.mk mk/arm64.mk mk/deb.mk mk/lint.mk

## clean: remove everything that was built
.PHONY: clean
clean:
	rm -rf build

## help: this list
.PHONY: help
help:
	@awk '/^##@ /{ print "\n" substr($$0, 5) ":" } \
	    /^## [a-z0-9, -]+: /{ name = substr($$0, 4); sub(/: .*/, "", name); sub(/^## [^:]*: /, ""); \
	    if (length(name) > 15) printf "  %s\n%18s%s\n", name, "", $$0; else printf "  %-16s%s\n", name, $$0 }' \
	    $(filter-out %.d,$(MAKEFILE_LIST))

.SECONDARY:
-include $(shell find $B -type f -name '*.d' 2>/dev/null)
