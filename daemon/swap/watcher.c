#include "daemon/swap/watcher.h"

#include <stdio.h>
#include <sys/stat.h>

static struct watcher_look look(const char *path) {
    struct stat st;
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return (struct watcher_look){0};
    return (struct watcher_look){(uint64_t)st.st_dev,         (uint64_t)st.st_ino,
                                 (uint64_t)st.st_size,        (int64_t)st.st_mtim.tv_sec,
                                 (int64_t)st.st_mtim.tv_nsec, (int64_t)st.st_ctim.tv_sec,
                                 (int64_t)st.st_ctim.tv_nsec};
}

static bool same_look(const struct watcher_look *a, const struct watcher_look *b) {
    return a->device == b->device && a->inode == b->inode && a->bytes == b->bytes &&
           a->written_s == b->written_s && a->written_ns == b->written_ns &&
           a->changed_s == b->changed_s && a->changed_ns == b->changed_ns;
}

diffuse_err watcher_start(struct watcher *w, const char *path, uint64_t settle_ns,
                          struct reason *why) {
    *w = (struct watcher){.settle_ns = settle_ns};
    int n = snprintf(w->path, sizeof w->path, "%s", path);
    if (n < 0 || (size_t)n >= sizeof w->path)
        return reason_set(why, DIFFUSE_TOOBIG, "%.100s...: a path of %d bytes cannot be watched",
                          path, n);
    w->on = true;
    w->seen = w->taken = look(w->path);
    return DIFFUSE_OK;
}

void watcher_stop(struct watcher *w) {
    w->on = false;
}

bool watcher_turn(struct watcher *w, uint64_t now_ns) {
    if (!w->on || now_ns < w->next_ns)
        return false;
    struct watcher_look now = look(w->path);
    if (!same_look(&now, &w->seen)) {
        w->seen = now;
        w->changed = true;
        w->next_ns = now_ns + w->settle_ns;
        return false;
    }
    w->next_ns = now_ns + WATCHER_LOOK_NS;
    if (!w->changed)
        return false;
    w->changed = false;
    if (now.inode == 0 || same_look(&now, &w->taken))
        return false;
    w->taken = now;
    return true;
}

uint64_t watcher_wait(const struct watcher *w, uint64_t now_ns) {
    if (!w->on)
        return UINT64_MAX;
    return w->next_ns > now_ns ? w->next_ns - now_ns : 0;
}
