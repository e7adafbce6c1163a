/* ctl_keygen.c - diffusectl keygen: a key pair, and the line that lets it in. */
#include <argp.h>
#include <string.h>

#include "client/ctl/verb.h"

struct keygen_args {
    const char *out, *roles;
};

static const struct argp_option options[] = {
    {"out", 'o', "PATH", 0, "write PATH.key_secret and PATH.key (diffused)", 0},
    {"roles", 'r', "ROLE,ROLE", 0,
     "print the line for the daemon's curve_clients; roles: publish, feedback, subscribe, control",
     0},
    {0},
};

static bool are_roles(const char *text) {
    static const char *const words[] = {"publish", "feedback", "subscribe", "control"};
    size_t n = sizeof words / sizeof *words;

    for (;;) {
        size_t len = strcspn(text, ","), i = 0;

        while (i < n && (strlen(words[i]) != len || memcmp(words[i], text, len) != 0))
            i++;
        if (i == n)
            return false;
        if (!text[len])
            return true;
        text += len + 1;
    }
}

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct keygen_args *a = state->input;

    switch (key) {
    case 'o':
        a->out = arg;
        return 0;
    case 'r':
        if (!are_roles(arg))
            argp_error(state, "--roles '%s': expected some of publish,feedback,subscribe,control",
                       arg);
        a->roles = arg;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "'%s': unexpected argument", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* The file's name, as one word of that list. */
static void print_name(const char *path) {
    const char *slash = strrchr(path, '/');

    for (const char *c = slash ? slash + 1 : path; *c; c++)
        putchar(*c > ' ' && *c < 0x7f && *c != '#' ? *c : '_');
}

int ctl_keygen(struct verb_env *env, int argc, char **argv) {
    static const struct argp argp = {options,
                                     parse,
                                     NULL,
                                     "Make a key pair for connections over the network.\v"
                                     "PATH.key_secret stays with its owner (mode 0600); PATH.key "
                                     "is for the other side. Both are "
                                     "ZeroMQ certificate files. Nothing is overwritten.",
                                     NULL,
                                     NULL,
                                     NULL};
    struct keygen_args a = {.out = "diffused"};
    char key[DIFFUSE_KEY_BYTES], why[512] = "";

    (void)env;
    if (argp_parse(&argp, argc, argv, 0, NULL, &a))
        return VERB_USAGE;
    if (diffuse_keygen(a.out, key, why, sizeof why)) {
        fprintf(stderr, "diffusectl: %s\n", why);
        return VERB_FAILED;
    }
    fprintf(stderr, "wrote %s.key_secret, to be kept, and %s.key, to be handed out\n", a.out,
            a.out);
    if (a.roles) {
        print_name(a.out);
        printf("  %s  %s\n", key, a.roles);
    }
    return VERB_DONE;
}
