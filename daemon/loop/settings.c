#include "daemon/loop/settings.h"

#include <stdio.h>
#include <string.h>

#include "daemon/path/segments.h"

struct complaints {
    struct log *log;
    struct reason *first;
};

static void hear(void *user, const char *line) {
    struct complaints *c = user;
    log_line(c->log, LOG_conf_refused, "%s", line);
    if (!c->first->text[0])
        (void)reason_set(c->first, DIFFUSE_INVAL, "%s", line);
}

void settings_init(struct settings *s) {
    s->now = *s->shared->conf;
}

/* Whoever holds a copy of its own. */
static void put_in_force(struct settings *s) {
    const struct conf *c = &s->now;
    s->shared->log->level = (enum log_level)c->log_level;
    s->shared->send->wait_ns = c->label_wait;
    s->shared->path->refuse_long = c->on_too_long == CONF_REFUSE;
    s->shared->path->max_age_ns = c->max_age;
    segments_rules(s->shared->path->running, c);
    switcher_configure(s->switcher, c->model, c->watch);
}

/* A policy's window needs room that was laid at the start. */
static bool may_change(const struct settings *s, enum conf_key key) {
    if (key == CONF_KEY_policy)
        return s->fresh.segment_window <= s->shared->conf->segment_window;
    return conf_row(key)->when == CONF_AT_RELOAD;
}

static void tell_change(struct settings *s, enum conf_key key) {
    char before[CONF_TEXT_BYTES], after[CONF_TEXT_BYTES], origin[CONF_TEXT_BYTES + 16];
    conf_show(&s->now, key, before, sizeof before);
    conf_show(&s->fresh, key, after, sizeof after);
    conf_origin(&s->fresh, key, origin, sizeof origin);
    log_line(s->shared->log, LOG_conf_changed, "%s = %.160s, was %.160s (%.160s)",
             conf_row(key)->key, after, before, origin);
}

diffuse_err settings_reread(struct settings *s, struct reason *why) {
    struct complaints complaints = {s->shared->log, why};
    return confread_all(&s->fresh, &s->source, hear, &complaints);
}

void settings_apply(struct settings *s) {
    char held[LIMIT_REASON_BYTES] = "";
    size_t used = 0;
    for (int i = 0; i < (int)CONF_KEYS; i++) {
        enum conf_key key = (enum conf_key)i;
        bool follows =
            key == CONF_KEY_segment_window && s->fresh.segment_window < s->now.segment_window;
        if (conf_same(&s->now, &s->fresh, key) || follows)
            continue;
        if (may_change(s, key)) {
            tell_change(s, key);
            conf_copy(&s->now, &s->fresh, key);
        } else if (used < sizeof held) {
            used += (size_t)snprintf(held + used, sizeof held - used, "%s%s", used ? ", " : "",
                                     conf_row(key)->key);
        }
    }
    put_in_force(s);
    if (used > 0)
        log_line(s->shared->log, LOG_conf_restart, "changed, and in force only after a restart: %s",
                 held);
}
