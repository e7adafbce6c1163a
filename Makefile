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
CLIENT  := $(patsubst %.c,$B/%.o,$(wildcard client/call/*.c client/link/*.c client/relay/*.c))
CTL     := $(call objects,client/ctl client/relay)
DEMO_O  := $(call objects,client/demo)
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
$B/man/.made: $(wildcard docs/man/* docs/man/verbs/*) daemon/diffused.conf client/diffuse.h client/diffuse_relay.h $B/diffuse $B/diffused $B/diffusectl $B/tables
	@echo "  MAN  $(@D)"; rm -rf $(@D)
	$(Q)docs/man/make.sh $B && touch $@
$B/completion/.made: $(wildcard docs/completion/*) $B/man/.made
	@echo "  COMP $(@D)"
	$(Q)docs/completion/make.sh $B && touch $@

# --- demo -----------------------------------------------------------------------------------------
$B/fleet_demo: $(DEMO_O) $B/libdiffuse.a
	$(LINK)
	$(Q)$(CC) $(SAN) $(CFLAGS) $(LDFLAGS) -pthread -o $@ $^ $(CLIENT_LIBS)

.PHONY: demo
## demo: install what is missing, build, and show a made-up robot fleet being classified live
demo: deps
	@$(SUBMAKE) --silent $(PROGRAMS) $B/fleet_demo
	@$B/fleet_demo $(DEMO)

# --- install --------------------------------------------------------------------------------------
BINDIR      ?= $(PREFIX)/bin
LIBDIR      ?= $(PREFIX)/lib
INCLUDEDIR  ?= $(PREFIX)/include
DATADIR     ?= $(PREFIX)/share/diffused
DOCDIR      ?= $(PREFIX)/share/doc/diffused
SYSCONFDIR  ?= $(if $(filter /usr /usr/local,$(PREFIX)),/etc,$(PREFIX)/etc)
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
DOC_PAGES   := $(wildcard docs/*.md)

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
    $(CATALOGDIR)/diffused.catalog $(addprefix $(DOCDIR)/,$(DOCS) $(DOC_PAGES)) \
    $(addprefix $(MANDIR)/,$(PAGES)) $(foreach p,diffused diffuse diffusectl,$(BASHCOMPDIR)/$p $(ZSHCOMPDIR)/_$p)

.PHONY: install uninstall units
units:
	@$(call unit,diffused.service,Text stream classifier,diffused,diffused,$(UNITS))
	@$(call unit,diffused@.service,Text stream classifier (%i),diffused-%i,%i,$(UNITS))

## install: into $(DESTDIR)$(PREFIX); a configuration that is there stays as it is
install: all man
	@install -d $(addprefix $(DESTDIR),$(BINDIR) $(LIBDIR)/pkgconfig $(INCLUDEDIR) $(DATADIR) $(DOCDIR)/docs $(UNITDIR) $(CATALOGDIR) \
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
	install -m 644 $(DOC_PAGES) $(DESTDIR)$(DOCDIR)/docs
	@install -d $(addprefix $(DESTDIR),$(addprefix $(MANDIR)/man,1 3 5 7 8) $(BASHCOMPDIR) $(ZSHCOMPDIR))
	for s in 1 3 5 7 8; do install -m 644 $B/man/man$$s/* $(DESTDIR)$(MANDIR)/man$$s; done
	install -m 644 $B/completion/bash/* $(DESTDIR)$(BASHCOMPDIR)
	install -m 644 $B/completion/zsh/* $(DESTDIR)$(ZSHCOMPDIR)
	sed 's|^model = .*|model = $(DATADIR)/robot-text.safetensors|' daemon/diffused.conf >$(DESTDIR)$(SYSCONFDIR)/diffused/diffused.conf.example
	[ -e $(DESTDIR)$(SYSCONFDIR)/diffused/diffused.conf ] || \
	    install -m 644 $(DESTDIR)$(SYSCONFDIR)/diffused/diffused.conf.example $(DESTDIR)$(SYSCONFDIR)/diffused/diffused.conf
	@$(if $(DESTDIR),,$(SETTLE))

# So that the library is found and the journal explains its lines. With DESTDIR it is up to whoever unpacks that tree.
SETTLE = tell() { echo "install: not done: $$1 ($$2)" >&2; }; \
    { ldconfig 2>/dev/null && ldconfig -p | grep -qF "$(LIBDIR)/libdiffuse.so.0"; } || \
        tell ldconfig "as root; unless $(LIBDIR) is named in /etc/ld.so.conf.d, programs do not find libdiffuse.so.0"; \
    ! command -v journalctl >/dev/null || journalctl --update-catalog >/dev/null 2>&1 || tell "journalctl --update-catalog" "as root"

## uninstall: remove what install put there; the configuration stays
uninstall:
	rm -f $(addprefix $(DESTDIR),$(INSTALLED)) $(DESTDIR)$(SYSCONFDIR)/diffused/diffused.conf.example
	@[ ! -d $(DESTDIR)/etc/systemd/system ] || find $(DESTDIR)/etc/systemd/system -type l -lname '$(UNITDIR)/diffused*.service' -print -delete
	rmdir --ignore-fail-on-non-empty $(addprefix $(DESTDIR),$(DATADIR)/systemd $(DATADIR) $(DOCDIR)/docs $(DOCDIR)) 2>/dev/null || true

# --- the rest -------------------------------------------------------------------------------------
# Each part names the packages, objects and targets of its subject.
include mk/deps.mk mk/tests.mk mk/bench.mk mk/arm64.mk mk/deb.mk mk/lint.mk

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
