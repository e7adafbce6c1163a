/* intruder_shim.c - somebody else's thread inside a process, and a worker that stands still. A
 * library to preload:
 *
 *   LD_PRELOAD=build/tests/intruder_shim.so INTRUDER_DIR=... program
 *
 *   INTRUDER_DIR/try    when this file appears, it is removed and its words are tried, one after
 *                       the other; then INTRUDER_DIR/tried appears, whole, with what came of each
 *                       as a line "WORD ERRNO": 0 when it was done. Words: exec, fork, thread,
 *                       inet, packet, listen, wx, limits, and file, unix, memory, which are
 *                       harmless; see below
 *   INTRUDER_DIR/stick  while this file is there, threads named "worker" stop where they report a
 *                       batch (eventfd_write) and do not go on
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define SEEN    __attribute__((visibility("default")))
#define LOOK_US 20000

static char dir[4000];

static const char *at(const char *name, char ret[4096]) {
    (void)snprintf(ret, 4096, "%s/%s", dir, name);
    return ret;
}

static int there(const char *name) {
    char path[4096];
    return access(at(name, path), F_OK) == 0;
}

static int code_of(long result) {
    return result < 0 ? errno : 0;
}

static void *nothing(void *user) {
    return user;
}

static int close_code(int fd) {
    int code = code_of(fd);
    if (fd >= 0)
        close(fd);
    return code;
}

static int try_listen(void) {
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int code = code_of(bind(fd, (struct sockaddr *)&name, sizeof(sa_family_t)));
    if (!code)
        code = code_of(listen(fd, 1));
    close(fd);
    return code;
}

static int try_fork(void) {
    long child = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    int code = code_of(child);
    if (child == 0)
        _exit(0);
    if (child > 0)
        (void)waitpid((pid_t)child, NULL, 0);
    return code;
}

static int try_thread(void) {
    pthread_t thread;
    int code = pthread_create(&thread, NULL, nothing, NULL);
    if (!code)
        pthread_join(thread, NULL);
    return code;
}

static int try_word(const char *word) {
    static char *const argv[] = {(char *)"/bin/true", NULL};
    struct rlimit files;
    char path[4096];
    if (strcmp(word, "exec") == 0)
        return code_of(execv(argv[0], argv));
    if (strcmp(word, "fork") == 0)
        return try_fork();
    if (strcmp(word, "thread") == 0)
        return try_thread();
    if (strcmp(word, "inet") == 0)
        return close_code(socket(AF_INET, SOCK_STREAM, 0));
    if (strcmp(word, "packet") == 0)
        return close_code(socket(AF_PACKET, SOCK_RAW, 0));
    if (strcmp(word, "listen") == 0)
        return try_listen();
    if (strcmp(word, "wx") == 0)
        return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                    0) == MAP_FAILED
                   ? errno
                   : 0;
    if (strcmp(word, "limits") == 0)
        return getrlimit(RLIMIT_NOFILE, &files) ? errno : code_of(setrlimit(RLIMIT_NOFILE, &files));
    if (strcmp(word, "file") == 0)
        return close_code(open(at("harmless", path), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    if (strcmp(word, "unix") == 0)
        return close_code(socket(AF_UNIX, SOCK_DGRAM, 0));
    if (strcmp(word, "memory") == 0) {
        void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        return page == MAP_FAILED ? errno : code_of(munmap(page, 4096));
    }
    return ENOSYS;
}

static void try_all(void) {
    char path[4096], done[4096], words[512] = "", line[128];
    int in = open(at("try", path), O_RDONLY | O_CLOEXEC);
    int out = open(at("trying", path), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    ssize_t n = read(in, words, sizeof words - 1);
    char *rest = words;
    if (n < 0 || out < 0)
        return;
    close(in);
    (void)unlink(at("try", path)); /* the next process finds nothing to try */
    for (char *word; (word = strsep(&rest, " \n"));) {
        if (!*word)
            continue;
        n = snprintf(line, sizeof line, "%s %d\n", word, try_word(word));
        (void)!write(out, line, (size_t)n);
    }
    close(out);
    (void)rename(at("trying", path), at("tried", done));
}

static void *run(void *user) {
    (void)user;
    for (;; usleep(LOOK_US)) {
        if (there("try"))
            try_all();
    }
    return NULL;
}

__attribute__((constructor)) static void begin(void) {
    const char *folder = getenv("INTRUDER_DIR");
    pthread_t thread;
    sigset_t all, before;
    if (!folder)
        return;
    (void)snprintf(dir, sizeof dir, "%s", folder);
    (void)sigfillset(&all); /* signals are for the program */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    (void)pthread_create(&thread, NULL, run, NULL);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static int is_worker(void) {
    char name[8] = "";
    int fd = open("/proc/thread-self/comm", O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, name, sizeof name - 1);
    close(fd);
    return n > 0 && strcmp(name, "worker\n") == 0;
}

SEEN int eventfd_write(int fd, eventfd_t value) {
    while (dir[0] && is_worker() && there("stick"))
        usleep(LOOK_US);
    return write(fd, &value, sizeof value) == sizeof value ? 0 : -1;
}
