##@ aarch64, on another processor
# Built by a cross compiler against the libraries of an unpacked Debian tree, and run by qemu.
ARM      := build/arm64
ARM_ROOT := $(CURDIR)/$(ARM)/root
ARM_BLAS := usr/lib/aarch64-linux-gnu/openblas-pthread
ARM_DEBS := $(comma)$(subst $() ,$(comma),$(strip $(filter lib% zlib%,$(DEBS_CHECK))))
# It starts itself again with a library preloaded, which qemu does not do.
ARM_UNIT := $(filter-out %/test_crash,$(UNIT_NAMES))
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
	@TEST_EMULATOR="$(call arm_run,cortex-a53)" TEST_TIMEOUT=1800 tests/run -j $(JOBS) $(addprefix $(ARM):,$(foreach t,$(ARM_UNIT),$(if $(findstring /test_engine,$t),$t)))
