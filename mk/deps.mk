# Packages: what each task needs, as Debian packages. Nothing is installed but by a target that says so.
##@ Packages

DEBS_BUILD := gcc libc6-dev protobuf-c-compiler libprotobuf-c-dev libzmq3-dev libsystemd-dev \
              libopenblas-dev libjansson-dev libutf8proc-dev libsodium-dev libcsv-dev zlib1g-dev libinih-dev libmicrohttpd-dev libseccomp-dev
DEBS_DEMO  := $(DEBS_BUILD) python3
DEBS_CHECK := $(DEBS_BUILD) libcmocka-dev pkgconf protobuf-compiler python3-protobuf python3-zmq python3-prometheus-client mandoc bash-completion zsh g++ jq systemd-container
DEBS_LINT  := $(DEBS_BUILD) libcmocka-dev clang-14 clang-format-14 cppcheck shellcheck pyflakes3
DEBS_RECIPES := $(DEBS_CHECK) curl mosquitto mosquitto-clients influxdb python3-rostopic python3-roslaunch rosout
DEBS_DEB   := $(DEBS_BUILD) build-essential debhelper lintian
DEBS_CHECK_DEB := $(DEBS_DEB) debootstrap systemd-container
DEBS_TORCH := $(DEBS_CHECK) python3-torch
DEBS_PEERS := python3 fasttext python3-sklearn
DEBS_BENCH := $(DEBS_CHECK) python3-numpy
DEBS_FUZZ := $(DEBS_BUILD) clang-14 libclang-rt-14-dev
DEBS_ARM64 := gcc-aarch64-linux-gnu qemu-user-static mmdebstrap protobuf-c-compiler

.PHONY: deps deps-demo deps-check deps-lint deps-recipes deps-deb deps-check-deb deps-torch deps-peers deps-bench deps-fuzz deps-arm64
## deps: install what the build needs (Debian packages; as root or through sudo)
deps: ; $(call install,$(DEBS_BUILD))
## deps-demo, deps-check, deps-lint, deps-recipes, deps-deb, deps-check-deb, deps-torch, deps-peers, deps-bench, deps-fuzz, deps-arm64: what the targets named behind deps- need
deps-demo: ; $(call install,$(DEBS_DEMO))
deps-check: ; $(call install,$(DEBS_CHECK))
deps-lint: ; $(call install,$(DEBS_LINT))
deps-recipes: ; $(call install,$(DEBS_RECIPES))
deps-deb: ; $(call install,$(DEBS_DEB))
deps-check-deb: ; $(call install,$(DEBS_CHECK_DEB))
deps-torch: ; $(call install,$(DEBS_TORCH))
deps-peers: ; $(call install,$(DEBS_PEERS))
deps-bench: ; $(call install,$(DEBS_BENCH))
deps-fuzz: ; $(call install,$(DEBS_FUZZ))
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
