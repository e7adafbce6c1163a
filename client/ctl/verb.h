/* verb.h - what the verbs of diffusectl share. */
#ifndef CLIENT_CTL_VERB_H
#define CLIENT_CTL_VERB_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

#include "client/diffuse.h"

enum { VERB_DONE = 0, VERB_FAILED = 1, VERB_USAGE = 2 }; /* exit status */

struct verb_env {
    const char *endpoint;              /* NULL: the library's default */
    const char *server_key, *key;      /* files; NULL: likewise */
    int timeout_ms;                    /* for an answer */
    const volatile sig_atomic_t *stop; /* set by SIGINT and SIGTERM */
    uint32_t inflight;                 /* 0: the library's default */
};

/* Each verb parses its own arguments (argv[0] is "diffusectl VERB") and returns an exit status. */
int ctl_send(struct verb_env *env, int argc, char **argv);
int ctl_watch(struct verb_env *env, int argc, char **argv);
int ctl_classify(struct verb_env *env, int argc, char **argv);
int ctl_status(struct verb_env *env, int argc, char **argv);
int ctl_feedback(struct verb_env *env, int argc, char **argv);
int ctl_reload(struct verb_env *env, int argc, char **argv);
int ctl_rollback(struct verb_env *env, int argc, char **argv);
int ctl_streams(struct verb_env *env, int argc, char **argv);
int ctl_tune(struct verb_env *env, int argc, char **argv);
int ctl_metrics(struct verb_env *env, int argc, char **argv);
int ctl_top(struct verb_env *env, int argc, char **argv);
int ctl_record(struct verb_env *env, int argc, char **argv);
int ctl_keygen(struct verb_env *env, int argc, char **argv);
int ctl_replay(struct verb_env *env, int argc, char **argv);

/* A client, or NULL after saying why not. */
diffuse_client *verb_open(const struct verb_env *env);

/* Say what failed, and what to do when nobody answers. Returns VERB_FAILED. */
int verb_fail(const diffuse_client *client, diffuse_err e);

/* A whole number for an option, or the end of the program with status 2. */
unsigned long long verb_number(const char *option, const char *text, unsigned long long max);

/* Standard input by lines. Zero it before, verb_input_done after. */
struct verb_input {
    char *buffer;
    size_t size, begin, end; /* begin..end is read and not yet handed out */
    bool over;
    int error; /* errno of what ended it, or 0 */
    unsigned long long lines;
    bool begun; /* a line was handed out */
};

/* True when verb_input_line would not wait long: a line, a part of one, or the end is there. */
bool verb_input_ready(const struct verb_input *in);

/* The next line without its newline, the first without a byte order mark; NUL-terminated, valid
 * until the next call; its bytes, or -1 at the end, after a signal, or after an error. */
long verb_input_line(struct verb_input *in, const char **ret_line);

/* Free it, and say what error ended it, if one did: VERB_FAILED then. */
int verb_input_done(struct verb_input *in);

/* Nanoseconds of the wall clock. */
int64_t verb_now_ns(void);

/* The same of the monotonic clock. */
int64_t verb_mono_ns(void);

/* A counter on the terminal, every two seconds; nothing where standard error is no terminal. */
struct verb_progress {
    bool on;
    int64_t due_ns, begun_ns;
};
void verb_progress_start(struct verb_progress *p);
void verb_progress_show(struct verb_progress *p, const char *what, unsigned long long n);
void verb_progress_end(struct verb_progress *p);

#endif
