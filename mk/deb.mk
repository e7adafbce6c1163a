##@ Debian packages

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
