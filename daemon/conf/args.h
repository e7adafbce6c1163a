/* args.h - the command line of diffused. */
#ifndef DAEMON_CONF_ARGS_H
#define DAEMON_CONF_ARGS_H

#include <stdbool.h>
#include <stddef.h>

#define ARGS_SETS_MAX 64u

struct args {
    const char *config; /* file, or NULL */
    bool check, plan, memory_max, cpu, print_config, foreground;
    const char *set[ARGS_SETS_MAX]; /* KEY=VALUE, in order */
    size_t n_sets;
};

/* Read the command line; the strings stay argv's. Prints and exits (status 2) at a usage error, and
 * for --help and --version: for main only. */
void args_read(struct args *a, int argc, char **argv);

#endif
