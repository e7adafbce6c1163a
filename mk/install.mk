# install.mk - where things go on a machine, and how they leave it.
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
    $(addprefix $(INCLUDEDIR)/,diffuse.h diffuse_err.h) $(addprefix $(DATADIR)/,$(notdir $(PRETRAINED)) diffused.proto) \
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
	install -m 644 client/diffuse.h proto/diffuse_err.h $(DESTDIR)$(INCLUDEDIR)
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
