#include "model/tool/common/type_arg.h"

#include <string.h>

static const char *const names[] = {[CKPT_F32] = "f32",
                                    [CKPT_F16] = "f16",
                                    [CKPT_BF16] = "bf16",
                                    [CKPT_I8] = "i8",
                                    [CKPT_I4] = "i4"};

bool type_arg(const char *arg, enum ckpt_type *ret_type) {
    for (enum ckpt_type i = CKPT_F32; i <= CKPT_I4; i++)
        if (strcmp(arg, names[i]) == 0) {
            *ret_type = i;
            return true;
        }
    return false;
}

const char *type_arg_name(enum ckpt_type type) {
    return names[type];
}
