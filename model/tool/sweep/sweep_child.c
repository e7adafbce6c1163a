#include "model/tool/sweep/sweep_child.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "model/tool/common/say.h"

#define PATH_BYTES 4096
#define TAIL_BYTES 4096

static void path_of(const struct sweep_plan *p, const struct sweep_run *r, const char *name,
                    char ret_path[PATH_BYTES]) {
    (void)snprintf(ret_path, PATH_BYTES, "%s/%s%s", p->out, r->name, name);
}

/* --- start --------------------------------------------------------------- */

/* In the child, up to the new program. Only calls that are safe between fork and exec. */
static void become(char **argv, int log, const sigset_t *mask, pid_t parent) {
    static const char failed[] = "diffuse: cannot be started again\n";
    int nothing = open("/dev/null", O_RDONLY);

    (void)signal(SIGINT, SIG_DFL); /* a shell may have had it ignored */
    (void)signal(SIGTERM, SIG_DFL);
    (void)prctl(PR_SET_PDEATHSIG, SIGINT);
    if (getppid() != parent)
        _exit(1);
    if (nothing >= 0 && dup2(nothing, STDIN_FILENO) >= 0 && dup2(log, STDOUT_FILENO) >= 0 &&
        dup2(log, STDERR_FILENO) >= 0 && sigprocmask(SIG_SETMASK, mask, NULL) == 0)
        (void)execv("/proc/self/exe", argv);
    (void)!write(log, failed, sizeof failed - 1);
    _exit(1);
}

static diffuse_err open_log(const struct sweep_plan *p, const struct sweep_run *r, int *ret_log,
                            struct reason *why) {
    char path[PATH_BYTES];
    diffuse_err e;

    path_of(p, r, "", path);
    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        return reason_set(why, DIFFUSE_IO, "%s: the folder cannot be made: %s", path,
                          strerror(errno));
    if ((e = sweep_result_ask(path, r->wanted, why)))
        return e;
    path_of(p, r, "/output.log", path);
    *ret_log = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (r->resume ? O_APPEND : O_TRUNC), 0666);
    if (*ret_log < 0)
        return reason_set(why, DIFFUSE_IO, "%s: cannot be written: %s", path, strerror(errno));
    return DIFFUSE_OK;
}

diffuse_err sweep_child_start(const struct sweep_plan *p, struct sweep_run *r, const sigset_t *mask,
                              struct reason *why) {
    char **argv = sweep_plan_argv(p, r);
    pid_t parent = getpid();
    int log = -1;
    diffuse_err e = argv ? open_log(p, r, &log, why) : DIFFUSE_NOMEM;

    if (!e) {
        r->began = say_now();
        r->pid = fork();
        if (r->pid == 0)
            become(argv, log, mask, parent);
        if (r->pid < 0)
            e = reason_set(why, DIFFUSE_IO, "no process can be started: %s", strerror(errno));
        else
            r->state = SWEEP_RUNNING;
        close(log);
    }
    sweep_plan_argv_free(argv);
    return e;
}

/* --- end ----------------------------------------------------------------- */

void sweep_child_last_line(const char *log, size_t n, char *ret_line, size_t size) {
    static const char name[] = "diffuse: ";
    size_t end = n, from;

    while (end > 0 && strchr("\r\n ", log[end - 1]))
        end--;
    for (from = end; from > 0 && log[from - 1] != '\n' && log[from - 1] != '\r';)
        from--;
    if (end - from >= sizeof name - 1 && memcmp(log + from, name, sizeof name - 1) == 0)
        from += sizeof name - 1;
    (void)snprintf(ret_line, size, "%.*s", (int)(end - from), log + from);
}

/* What the run said last. */
static void read_reason(const struct sweep_plan *p, struct sweep_run *r) {
    char path[PATH_BYTES], tail[TAIL_BYTES], line[LIMIT_REASON_BYTES];
    FILE *f;
    size_t n = 0;

    path_of(p, r, "/output.log", path);
    f = fopen(path, "re");
    if (f && fseek(f, -TAIL_BYTES, SEEK_END) != 0)
        rewind(f);
    if (f) {
        n = fread(tail, 1, sizeof tail, f);
        fclose(f);
    }
    sweep_child_last_line(tail, n, line, sizeof line);
    (void)reason_set(&r->why, DIFFUSE_IO, "%s", *line ? line : "it wrote no reason");
}

static void judge(const struct sweep_plan *p, struct sweep_run *r, int status, bool stopping) {
    char dir[PATH_BYTES];

    path_of(p, r, "", dir);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        r->state = sweep_result_read(dir, &r->result, &r->why) ? SWEEP_FAILED : SWEEP_DONE;
        return;
    }
    r->state = stopping ? SWEEP_STOPPED : SWEEP_FAILED;
    if (stopping)
        return;
    if (WIFSIGNALED(status))
        (void)reason_set(&r->why, DIFFUSE_IO, "killed by signal %d (%s)", WTERMSIG(status),
                         strsignal(WTERMSIG(status)));
    else
        read_reason(p, r);
}

bool sweep_child_ended(const struct sweep_plan *p, struct sweep_run *r, bool stopping) {
    int status = 0;
    pid_t pid = waitpid(r->pid, &status, WNOHANG);

    if (pid == 0 || (pid < 0 && errno == EINTR))
        return false;
    r->seconds = say_now() - r->began;
    if (pid < 0)
        status = 1 << 8;
    judge(p, r, status, stopping);
    r->pid = 0;
    return true;
}

double sweep_child_share(const struct sweep_plan *p, struct sweep_run *r) {
    char path[PATH_BYTES];
    uint64_t lines = 0;
    FILE *f;

    path_of(p, r, "", path);
    if (r->epochs == 0)
        r->epochs = sweep_result_epochs(path);
    path_of(p, r, "/epoch_results.csv", path);
    f = r->epochs ? fopen(path, "re") : NULL;
    if (!f)
        return 0;
    for (int c; (c = getc(f)) != EOF;)
        lines += c == '\n';
    fclose(f);
    return lines <= 1 ? 0 : lines > r->epochs ? 1 : (double)(lines - 1) / (double)r->epochs;
}
