#include "proto/reason.h"

#include <stdarg.h>
#include <stdio.h>

diffuse_err reason_set(struct reason *why, diffuse_err err, const char *format, ...) {
    va_list args;

    if (!why)
        return err;
    va_start(args, format);
    (void)vsnprintf(why->text, sizeof why->text, format, args);
    va_end(args);
    for (char *c = why->text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';
    return err;
}
