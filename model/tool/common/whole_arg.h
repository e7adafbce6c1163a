/* whole_arg.h - a whole number on the command line. */
#ifndef MODEL_TOOL_COMMON_WHOLE_ARG_H
#define MODEL_TOOL_COMMON_WHOLE_ARG_H

#include <argp.h>
#include <stdint.h>

/* The number that arg, the value of --name, is; anything but min to max ends the program with a
 * usage error that says so. */
uint64_t whole_arg(const char *name, const char *arg, uint64_t min, uint64_t max,
                   struct argp_state *state);

#endif
