#include "client/demo/fleet_daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READY_MS = 60000, TICK_MS = 100, PATH_BYTES = 128 };

int fleet_daemon_init(struct fleet_daemon *d, char *why, size_t why_size) {
    memset(d, 0, sizeof *d);
    snprintf(d->dir, sizeof d->dir, "/tmp/diffused-demo.XXXXXX");
    if (!mkdtemp(d->dir)) {
        snprintf(why, why_size, "%s: %s", d->dir, strerror(errno));
        d->dir[0] = '\0';
        return -1;
    }
    snprintf(d->endpoint, sizeof d->endpoint, "%s/run", d->dir);
    return 0;
}

/* The last line that the program wrote, else a general one. */
static void last_words(const struct fleet_daemon *d, const char *program, char *why, size_t size) {
    char path[PATH_BYTES], line[512];
    FILE *f;

    snprintf(why, size, "%s: failed without a word", program);
    snprintf(path, sizeof path, "%s/log", d->dir);
    if (!(f = fopen(path, "re")))
        return;
    while (fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0])
            snprintf(why, size, "%s", line);
    }
    fclose(f);
}

/* A child in a process group of its own: Ctrl-C is for us, and we stop it in order. It goes when we
 * are killed. */
static pid_t spawn(const struct fleet_daemon *d, char *const argv[], const char *notify) {
    pid_t parent = getpid(), pid = fork();
    char path[PATH_BYTES];
    int log;

    if (pid != 0)
        return pid;
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(1);
    snprintf(path, sizeof path, "%s/log", d->dir);
    log = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (log < 0 || dup2(log, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0)
        _exit(1);
    if (notify)
        setenv("NOTIFY_SOCKET", notify, 1);
    execv(argv[0], argv);
    fprintf(stderr, "%s: %s; was it built?\n", argv[0], strerror(errno));
    _exit(127);
}

static int exit_status(int status) {
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int await_end(pid_t pid) {
    int status = 0;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return exit_status(status);
}

int fleet_daemon_run(const struct fleet_daemon *d, char *const argv[], char *why, size_t why_size) {
    pid_t pid = spawn(d, argv, NULL);

    if (pid > 0 && await_end(pid) == 0)
        return 0;
    last_words(d, argv[0], why, why_size);
    return -1;
}

static int notify_socket(const char *path) {
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (strlen(path) < sizeof at.sun_path)
        memcpy(at.sun_path, path, strlen(path) + 1);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* The next datagram to a service manager: 1 it says READY, 0 it does not, or none came. */
static int is_ready(struct fleet_daemon *d, int fd) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char text[512];
    const char *status;
    ssize_t n;

    if (poll(&p, 1, TICK_MS) <= 0 || (n = recv(fd, text, sizeof text - 1, 0)) <= 0)
        return 0;
    text[n] = '\0';
    if ((status = strstr(text, "STATUS=")))
        snprintf(d->status, sizeof d->status, "%.*s", (int)strcspn(status + 7, "\n"), status + 7);
    return strncmp(text, "READY=1", 7) == 0;
}

static int await_ready(struct fleet_daemon *d, int fd, const char *program,
                       const volatile sig_atomic_t *stop, char *why, size_t why_size) {
    for (int waited = 0; waited < READY_MS; waited += TICK_MS) {
        int status;

        if (is_ready(d, fd))
            return 0;
        if (waitpid(d->pid, &status, WNOHANG) == d->pid) {
            d->pid = 0;
            last_words(d, program, why, why_size);
            return -1;
        }
        if (*stop) {
            snprintf(why, why_size, "interrupted");
            return -1;
        }
    }
    snprintf(why, why_size, "%s: not ready after %d s", program, READY_MS / 1000);
    return -1;
}

int fleet_daemon_start(struct fleet_daemon *d, const char *program, const char *model,
                       const volatile sig_atomic_t *stop, char *why, size_t why_size) {
    char set_model[4096], set_dir[PATH_BYTES], notify[PATH_BYTES];
    const char *argv[] = {program, "--foreground", "--set",          set_model, "--set",
                          set_dir, "--set",        "subscribers=12", NULL};
    int fd, r = -1;

    snprintf(set_model, sizeof set_model, "model=%s", model);
    snprintf(set_dir, sizeof set_dir, "runtime_dir=%s", d->endpoint);
    snprintf(notify, sizeof notify, "%s/notify", d->dir);
    if ((fd = notify_socket(notify)) < 0) {
        snprintf(why, why_size, "%s: %s", notify, strerror(errno));
        return -1;
    }
    d->pid = spawn(d, (char *const *)argv, notify);
    if (d->pid > 0)
        r = await_ready(d, fd, program, stop, why, why_size);
    else {
        d->pid = 0;
        snprintf(why, why_size, "%s: %s", program, strerror(errno));
    }
    close(fd);
    return r;
}

struct fleet_memory fleet_daemon_memory(const struct fleet_daemon *d) {
    struct fleet_memory m = {0};
    char path[PATH_BYTES], line[256];
    FILE *f;

    snprintf(path, sizeof path, "/proc/%ld/status", (long)d->pid);
    if (!(f = fopen(path, "re")))
        return m;
    while (fgets(line, sizeof line, f)) {
        if (strncmp(line, "VmRSS:", 6) == 0)
            m.resident = strtoul(line + 6, NULL, 10) * 1024;
        if (strncmp(line, "VmHWM:", 6) == 0)
            m.peak = strtoul(line + 6, NULL, 10) * 1024;
    }
    fclose(f);
    return m;
}

int fleet_daemon_stop(struct fleet_daemon *d) {
    pid_t pid = d->pid;

    d->pid = 0;
    if (pid <= 0 || kill(pid, SIGTERM) != 0)
        return -1;
    return await_end(pid);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at) {
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

void fleet_daemon_done(struct fleet_daemon *d) {
    if (d->pid > 0) {
        kill(d->pid, SIGKILL);
        await_end(d->pid);
        d->pid = 0;
    }
    if (d->dir[0])
        (void)nftw(d->dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    d->dir[0] = '\0';
}
