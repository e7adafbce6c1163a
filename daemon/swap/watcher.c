#include "daemon/swap/watcher.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_MAX 40u /* as the kernel */
#define EVENTS                                                                                     \
    (IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF |       \
     IN_MOVE_SELF | IN_ONLYDIR)

/* --- the way ------------------------------------------------------------- */

/* The walk so far: what was gone through, and what is still to go. */
struct walk {
    char at[PATH_MAX]; /* a folder */
    char rest[2 * PATH_MAX];
    unsigned links;
};

static bool add_step(struct watcher *w, const char *folder, const char *name) {
    if (w->steps == WATCHER_STEPS_MAX)
        return false;
    int wd = inotify_add_watch(w->fd, folder, EVENTS);
    if (wd < 0)
        return false;
    w->step[w->steps].wd = wd;
    (void)snprintf(w->step[w->steps].name, sizeof w->step[0].name, "%s", name);
    w->steps++;
    return true;
}

/* The next name of the rest, which is shortened by it. False: there is none. */
static bool next_name(struct walk *k, char name[NAME_MAX + 1]) {
    char *from = k->rest + strspn(k->rest, "/");
    size_t len = strcspn(from, "/");
    if (len == 0 || len > NAME_MAX)
        return false;
    memcpy(name, from, len);
    name[len] = '\0';
    memmove(k->rest, from + len, strlen(from + len) + 1);
    return true;
}

/* Put what a link says before the rest. */
static bool follow(struct walk *k, const char *link) {
    char to[PATH_MAX], rest[2 * PATH_MAX];
    ssize_t n = readlink(link, to, sizeof to - 1);
    if (n < 0 || ++k->links > LINKS_MAX)
        return false;
    to[n] = '\0';
    int len = snprintf(rest, sizeof rest, "%s/%s", to, k->rest);
    if (len < 0 || (size_t)len >= sizeof rest)
        return false;
    memcpy(k->rest, rest, (size_t)len + 1);
    if (to[0] == '/')
        k->at[0] = '\0';
    return true;
}

/* One name further. False: the way ends here, for now. */
static bool go(struct watcher *w, struct walk *k, const char *name) {
    char path[2 * PATH_MAX];
    struct stat st;
    size_t n = strlen(k->at);
    if (strcmp(name, ".") == 0)
        return true;
    if (strcmp(name, "..") == 0) {
        int len = snprintf(path, sizeof path, "%s/..", k->at);
        if (len < 0 || (size_t)len >= sizeof k->at)
            return false;
        memcpy(k->at, path, (size_t)len + 1);
        return true;
    }
    if (!add_step(w, n > 0 ? k->at : "/", name))
        return false;
    int len = snprintf(path, sizeof path, "%s/%s", k->at, name);
    if (len < 0 || (size_t)len >= sizeof k->at || lstat(path, &st) != 0)
        return false;
    if (S_ISLNK(st.st_mode))
        return follow(k, path);
    if (!S_ISDIR(st.st_mode))
        return false;
    memcpy(k->at, path, (size_t)len + 1);
    return true;
}

/* Watch the way as it is now, as far as it goes. */
static void walk(struct watcher *w) {
    struct walk k = {.at = ""};
    char name[NAME_MAX + 1];
    w->steps = 0;
    if (w->path[0] != '/')
        (void)snprintf(k.at, sizeof k.at, ".");
    (void)snprintf(k.rest, sizeof k.rest, "%s", w->path);
    while (next_name(&k, name) && go(w, &k, name))
        continue;
}

/* The folders of an earlier way are no longer watched. */
static void walk_again(struct watcher *w) {
    int before[WATCHER_STEPS_MAX];
    size_t n = w->steps;
    for (size_t i = 0; i < n; i++)
        before[i] = w->step[i].wd;
    walk(w);
    for (size_t i = 0; i < n; i++) {
        bool still = false;
        for (size_t j = 0; j < w->steps; j++)
            still |= w->step[j].wd == before[i];
        for (size_t j = 0; j < i; j++)
            still |= before[j] == before[i]; /* removed already */
        if (!still)
            (void)inotify_rm_watch(w->fd, before[i]);
    }
}

/* --- events -------------------------------------------------------------- */

static struct watcher_look look(const char *path) {
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return (struct watcher_look){0};
    return (struct watcher_look){(uint64_t)st.st_dev, (uint64_t)st.st_ino, (uint64_t)st.st_size,
                                 (int64_t)st.st_mtim.tv_sec, (int64_t)st.st_mtim.tv_nsec};
}

static bool same_look(const struct watcher_look *a, const struct watcher_look *b) {
    return a->device == b->device && a->inode == b->inode && a->bytes == b->bytes &&
           a->changed_s == b->changed_s && a->changed_ns == b->changed_ns;
}

/* A file that is made is still empty: what counts is when it is closed. */
static bool just_made(const struct watcher *w, const struct inotify_event *e) {
    struct stat st;
    return (e->mask & IN_CREATE) != 0 && stat(w->path, &st) == 0 && S_ISREG(st.st_mode) &&
           st.st_nlink == 1;
}

static bool concerns(const struct watcher *w, const struct inotify_event *e) {
    if (e->mask & (IN_Q_OVERFLOW | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT))
        return true;
    for (size_t i = 0; i < w->steps; i++) {
        if (w->step[i].wd == e->wd && e->len > 0 && strcmp(w->step[i].name, e->name) == 0)
            return i + 1 < w->steps || !just_made(w, e);
    }
    return false;
}

static bool read_events(struct watcher *w) {
    _Alignas(struct inotify_event) char buffer[4096];
    bool any = false;
    ssize_t n;
    while ((n = read(w->fd, buffer, sizeof buffer)) > 0) {
        for (ssize_t at = 0; at < n;) {
            const struct inotify_event *e = (const void *)(buffer + at);
            any |= concerns(w, e);
            at += (ssize_t)(sizeof *e + e->len);
        }
    }
    return any;
}

diffuse_err watcher_start(struct watcher *w, const char *path, uint64_t settle_ns,
                          struct reason *why) {
    *w = (struct watcher){.fd = -1, .settle_ns = settle_ns};
    int n = snprintf(w->path, sizeof w->path, "%s", path);
    if (n < 0 || (size_t)n >= sizeof w->path)
        return reason_set(why, DIFFUSE_TOOBIG, "%.100s...: a path of %d bytes cannot be watched",
                          path, n);
    w->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (w->fd < 0)
        return reason_set(why, DIFFUSE_IO, "%.200s is not watched: inotify: %s", path,
                          strerror(errno));
    walk(w);
    if (w->steps == 0) {
        diffuse_err e = reason_set(why, DIFFUSE_IO, "%.200s is not watched: inotify: %s", path,
                                   strerror(errno));
        watcher_stop(w);
        return e;
    }
    return DIFFUSE_OK;
}

void watcher_stop(struct watcher *w) {
    if (w->fd >= 0)
        close(w->fd);
    w->fd = -1;
    w->due_ns = 0;
}

int watcher_fd(const struct watcher *w) {
    return w->fd;
}

bool watcher_turn(struct watcher *w, uint64_t now_ns) {
    if (w->fd < 0)
        return false;
    bool happened = read_events(w);
    if (!happened && (w->due_ns == 0 || now_ns < w->due_ns))
        return false;
    walk_again(w);
    struct watcher_look now = look(w->path);
    if (happened || !same_look(&now, &w->seen)) {
        w->seen = now;
        w->due_ns = now_ns + w->settle_ns;
        return false;
    }
    w->due_ns = 0;
    return now.inode != 0;
}

uint64_t watcher_wait(const struct watcher *w, uint64_t now_ns) {
    if (w->due_ns == 0)
        return UINT64_MAX;
    return w->due_ns > now_ns ? w->due_ns - now_ns : 0;
}
