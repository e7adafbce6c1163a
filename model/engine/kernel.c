#include "model/engine/kernel.h"

#include <stdio.h>
#include <string.h>

#include "model/engine/kernel_list.h"

static const struct kernel *const all[] = {
    &kernel_portable,
#if KERNEL_X86
    &kernel_avx2,     &kernel_avx512,  &kernel_vnni,
#endif
#if KERNEL_ARM
    &kernel_neon,     &kernel_dotprod,
#endif
};

#define COUNT (sizeof all / sizeof *all)

const struct kernel *kernel_at(size_t i) {
    return i < COUNT ? all[i] : NULL;
}

void kernel_names(char *ret_text, size_t cap) {
    size_t at = 0;

    ret_text[0] = '\0';
    for (size_t i = 0; i < COUNT && at < cap; i++)
        if (all[i]->runs())
            at += (size_t)snprintf(ret_text + at, cap - at, "%s%s", at ? " " : "", all[i]->name);
}

diffuse_err kernel_find(const char *name, const struct kernel **ret_kernel, struct reason *why) {
    char names[64];
    bool known = false;

    for (size_t i = COUNT; i-- > 0;) {
        bool named = strcmp(all[i]->name, name) == 0;

        known |= named;
        if (all[i]->runs() && (named || strcmp(name, "auto") == 0)) {
            *ret_kernel = all[i];
            return DIFFUSE_OK;
        }
    }
    kernel_names(names, sizeof names);
    return reason_set(why, known ? DIFFUSE_UNSUPPORTED : DIFFUSE_INVAL,
                      "kernel \"%.40s\" %s; expected auto, or one of: %s", name,
                      known ? "needs instructions that this processor does not offer"
                            : "does not exist in this build",
                      names);
}
