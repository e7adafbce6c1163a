#include "daemon/report/watchdog.h"

void watchdog_init(struct watchdog *p, uint64_t watchdog_ns, uint64_t now_ns) {
    *p = (struct watchdog){.patience_ns = watchdog_ns / 2, .moved_ns = now_ns};
    for (size_t i = 0; i < LIMIT_WORKERS; i++)
        p->worker[i].since = now_ns;
}

bool watchdog_look(struct watchdog *p, const struct worker *workers, size_t n, bool waiting,
                   bool held, uint64_t now_ns) {
    bool stuck = false;
    if (p->patience_ns == 0)
        return false;
    for (size_t i = 0; i < n && i < LIMIT_WORKERS; i++) {
        uint64_t turns = atomic_load_explicit(&workers[i].turns, memory_order_relaxed);
        if (turns != p->worker[i].turns) {
            p->worker[i].turns = turns;
            p->worker[i].since = now_ns;
            p->moved_ns = now_ns;
        }
        bool in_batch = turns % 2 == 1;
        stuck |= in_batch && now_ns - p->worker[i].since >= p->patience_ns;
    }
    if (!waiting || held)
        p->moved_ns = now_ns;
    return !stuck && now_ns - p->moved_ns < p->patience_ns;
}
