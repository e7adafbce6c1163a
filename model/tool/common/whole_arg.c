#include "model/tool/common/whole_arg.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

uint64_t whole_arg(const char *name, const char *arg, uint64_t min, uint64_t max,
                   struct argp_state *state) {
    char *end = NULL;
    uint64_t v;

    errno = 0;
    v = strtoull(arg, &end, 10);
    if (*arg < '0' || *arg > '9' || *end != '\0' || errno != 0 || v < min || v > max)
        argp_error(state, "--%s is \"%s\", expected a whole number from %" PRIu64 " to %" PRIu64,
                   name, arg, min, max);
    return v;
}
