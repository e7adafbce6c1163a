/* diffuse_main.c - diffuse(1): finds the verb. */
#include <argp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/blas_env.h"
#include "model/base/gemm.h"
#include "model/tool/common/commands.h"
#include "proto/standard.h"

static const struct verb {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} verbs[] = {
    {"train", cmd_train, "train a model and write a checkpoint"},
    {"pretrain", cmd_pretrain, "learn from text without labels, for train --init"},
    {"sweep", cmd_sweep, "train with many settings and seeds, and compare them"},
    {"eval", cmd_eval, "accuracy of a checkpoint on a data set"},
    {"classify", cmd_classify, "label each line of standard input"},
    {"bench", cmd_bench, "how fast a checkpoint runs, and what the machine would allow"},
    {"logits", cmd_logits, "the model's raw output for each line of standard input"},
    {"quantize", cmd_quantize, "write a checkpoint with smaller numbers"},
    {"inspect", cmd_inspect, "what a checkpoint holds"},
    {"corpus", cmd_corpus, "generate labelled robot log lines"},
    {"listops", cmd_listops, "generate nested list expressions and their values"},
};

#define VERBS (sizeof verbs / sizeof *verbs)

static void usage(FILE *to) {
    fprintf(to, "usage: diffuse VERB [OPTION...]\n\n");
    for (size_t i = 0; i < VERBS; i++)
        fprintf(to, "  %-10s %s\n", verbs[i].name, verbs[i].help);
    fprintf(to, "\n`diffuse VERB --help` lists the options of a verb.\n");
}

int main(int argc, char **argv) {
    char name[64];

    standard_begin();
    blas_env_settle(argv);
    argp_err_exit_status = 2;
    (void)signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes is an error to name, no death */
    if (argc < 2) {
        usage(stderr);
        return 2;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0) {
        usage(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("diffuse %s\n", DIFFUSE_VERSION);
        return 0;
    }
    gemm_single_thread();
    for (size_t i = 0; i < VERBS; i++)
        if (strcmp(argv[1], verbs[i].name) == 0) {
            (void)snprintf(name, sizeof name, "diffuse %s", verbs[i].name);
            argv[1] = name;
            return verbs[i].run(argc - 1, argv + 1);
        }
    fprintf(stderr, "diffuse: no verb \"%s\"; `diffuse --help` lists them\n", argv[1]);
    return 2;
}
