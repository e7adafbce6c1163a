# diffused - all build, test and install rules. `make help` lists the targets.

VERSION := 0.1.0
PREFIX  ?= /usr/local
CFLAGS  ?= -O3 -g
CC      ?= cc
SHELL   := /bin/bash
Q       := $(if $(V),,@)

comma   := ,
ifdef SANITIZE
B       ?= build/san-$(subst $(comma),-,$(SANITIZE))
SAN     := -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
else
B       ?= build
endif

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
        -Wvla -Wformat=2 -Wpointer-arith -Wundef -Werror=unused-result
OURS := -std=c17 -I. -I$B/gen -D_GNU_SOURCE -DDIFFUSE_VERSION='"$(VERSION)"' -fPIC -fvisibility=hidden \
        -fno-common -fno-math-errno -ffp-contract=fast -pthread $(WARN) $(WERROR) $(SAN)
# Generated code is not ours to warn about.
GENFLAGS := -std=c17 -I$B/gen -fPIC -fvisibility=hidden $(SAN)

MODEL_LIBS  := -lopenblas -ljansson -lutf8proc -lsodium -lcsv -lz -lm
DAEMON_LIBS := -lzmq -lprotobuf-c -lsystemd -linih $(MODEL_LIBS)
CLIENT_LIBS := -lzmq -lprotobuf-c
CTL_LIBS    := $(CLIENT_LIBS) -ljansson

objects = $(patsubst %.c,$B/%.o,$(wildcard $(1)))
PROTO  := $(call objects,proto/*.c) $B/gen/diffused.pb-c.o
MODEL  := $(call objects,$(foreach d,base text net ckpt data train,model/$d/*.c))
TOOL   := $(call objects,model/tool/*.c)
DAEMON := $(filter-out $B/daemon/main.o,$(call objects,daemon/*.c))
CLIENT := $(call objects,client/*.c)
CTL    := $(call objects,client/ctl/*.c)
TLIB   := $(filter-out $B/tests/lib/make_%.o $B/tests/lib/probe_%.o,$(call objects,tests/lib/*.c))
UNIT   := $(patsubst tests/unit/%.c,$B/tests/unit/%,$(wildcard tests/unit/test_*.c))
F64    := $(patsubst tests/f64/%.c,$B/tests/f64/%,$(wildcard tests/f64/test_*.c))
PROGRAMS := $B/diffuse $B/diffused $B/diffusectl $B/libdiffuse.so.0 $B/libdiffuse.a

.PHONY: all
## all: daemon, model tool, client library and tool
all: $(PROGRAMS)

# --- generated -------------------------------------------------------------------------------------
$B/gen/diffused.pb-c.c $B/gen/diffused.pb-c.h &: proto/diffused.proto
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
$B/libtest.a: $(TLIB)
$B/libdiffuse.a: $(CLIENT) $(PROTO)
$B/libmodel-f64.a: $(patsubst $B/%,$B/f64/%,$(filter $B/model/base/% $B/model/net/%,$(MODEL)) $B/proto/diffuse_err.o $B/proto/reason.o)
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

# --- tests -----------------------------------------------------------------------------------------
$B/tests/unit/%: $B/tests/unit/%.o $B/libtest.a $B/libdaemon.a $B/libdiffuse.a $B/libmodel.a $B/libproto.a
	$(LINK)
	$(Q)$(CC) $(SAN) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $^ -lcmocka $(DAEMON_LIBS)

$B/tests/f64/%: $B/f64/tests/f64/%.o $B/libmodel-f64.a
	$(LINK)
	$(Q)$(CC) $(SAN) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $^ -lcmocka $(MODEL_LIBS)

# Programs that tests use to make their input.
$B/tests/make_%: $B/tests/lib/make_%.o $B/libmodel.a $B/libproto.a
	$(LINK)
	$(Q)$(CC) $(SAN) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $^ $(MODEL_LIBS)

# Programs that tests run against a daemon; they see the client library's public header only.
$B/tests/probe_%: $B/tests/lib/probe_%.o $B/libdiffuse.a
	$(LINK)
	$(Q)$(CC) $(SAN) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $^ -lcmocka $(CLIENT_LIBS)

## unit: build and run the unit tests
.PHONY: unit
unit: $(UNIT) $(F64)
	$(Q)r=0; for t in $^; do ./$$t || r=1; done; exit $$r

## clean: remove everything that was built
.PHONY: clean
clean:
	rm -rf build

## help: this list
.PHONY: help
help:
	@sed -n 's/^## \([a-z-]*\): /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

.SECONDARY:
-include $(shell find $B -name '*.d' 2>/dev/null)
