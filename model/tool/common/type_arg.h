/* type_arg.h - the option --type: what the numbers of a checkpoint are written as. */
#ifndef MODEL_TOOL_COMMON_TYPE_ARG_H
#define MODEL_TOOL_COMMON_TYPE_ARG_H

#include <stdbool.h>

#include "model/ckpt/ckpt.h"

#define TYPE_ARG_NAMES "f32, f16, bf16, i8 or i4"

/* False: it is none of them. */
bool type_arg(const char *arg, enum ckpt_type *ret_type);

const char *type_arg_name(enum ckpt_type type);

#endif
