#include "daemon/conf/args.h"

#include <argp.h>
#include <string.h>

enum option_key {
    OPTION_CHECK = 256,
    OPTION_PLAN,
    OPTION_MEMORY,
    OPTION_CPU,
    OPTION_PRINT,
    OPTION_SET
};

static const struct argp_option options[] = {
    {"config", 'c', "FILE", 0, "read the configuration from FILE", 0},
    {"set", OPTION_SET, "KEY=VALUE", 0, "set a key over what the file says; may be repeated", 0},
    {"check", OPTION_CHECK, NULL, 0, "check the configuration and exit", 0},
    {"print-config", OPTION_PRINT, NULL, 0, "print every key, its value and its origin, and exit",
     0},
    {"plan", OPTION_PLAN, NULL, 0, "print the memory plan and exit", 0},
    {"memory-max", OPTION_MEMORY, NULL, 0,
     "print a drop-in for the unit, with the MemoryMax= that memory_budget takes, and exit", 0},
    {"cpu", OPTION_CPU, NULL, 0,
     "print what the processor offers and how the model would be computed, and exit", 0},
    {"foreground", 'f', NULL, 0, "log to stderr, whatever log_target says", 0},
    {0}};

static error_t take(int key, char *value, struct argp_state *state) {
    struct args *a = state->input;
    switch (key) {
    case 'c':
        a->config = value;
        return 0;
    case 'f':
        a->foreground = true;
        return 0;
    case OPTION_CHECK:
        a->check = true;
        return 0;
    case OPTION_PLAN:
        a->plan = true;
        return 0;
    case OPTION_MEMORY:
        a->memory_max = true;
        return 0;
    case OPTION_CPU:
        a->cpu = true;
        return 0;
    case OPTION_PRINT:
        a->print_config = true;
        return 0;
    case OPTION_SET:
        if (a->n_sets == ARGS_SETS_MAX)
            argp_error(state, "--set is given more than %u times", ARGS_SETS_MAX);
        a->set[a->n_sets++] = value;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument '%s'", value);
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

void args_read(struct args *a, int argc, char **argv) {
    static const struct argp argp = {
        .options = options,
        .parser = take,
        .doc = "Classify text streams over ZeroMQ with a resident model.\v"
               "The keys of the configuration are described in diffused.conf.\n"
               "Exit status: 0 done, 1 failed, 2 usage."};
    memset(a, 0, sizeof *a);
    argp_program_version = "diffused " DIFFUSE_VERSION;
    argp_err_exit_status = 2;
    argp_parse(&argp, argc, argv, 0, NULL, a);
}
