#include "daemon/loop/check.h"

#include "daemon/door/curve.h"
#include "daemon/door/socket_group.h"
#include "daemon/loop/measure.h"
#include "daemon/swap/reload.h"
#include "model/ckpt/ckpt.h"

static diffuse_err check_groups(const struct conf *c, struct reason *why) {
    const struct {
        const char *group, *key;
    } all[] = {{c->ingest_group, "ingest_group"},
               {c->push_group, "push_group"},
               {c->labels_group, "labels_group"},
               {c->control_group, "control_group"},
               {c->feedback_group, "feedback_group"}};
    diffuse_err e = DIFFUSE_OK;
    for (size_t i = 0; !e && i < sizeof all / sizeof all[0]; i++) {
        struct socket_group permit;
        e = socket_group_group(all[i].group, all[i].key, &permit, why);
    }
    return e;
}

/* *ret_alone: why no second model is planned, and so no tuning; or "". */
static diffuse_err check_model(const struct conf *c, uint64_t resident, struct reason *ret_alone,
                               struct reason *why) {
    struct reload reload;
    struct plan plan;
    struct ckpt *ckpt = NULL;
    char root[DIGEST_HEX_BYTES];
    diffuse_err e = reload_open_first(&reload, c, measure_plan, resident, &ckpt, &plan, why);
    if (!e)
        e = ckpt_verify(ckpt, root, why);
    *ret_alone = reload.alone;
    ckpt_close(ckpt);
    return e;
}

bool check_start(const struct conf *c, uint64_t resident, conf_complain *complain, void *user) {
    struct reason key = {""}, group = {""}, model = {""}, alone = {""}, off = {""};
    bool fine = true;
    if (curve_check(c, &key)) {
        complain(user, key.text);
        fine = false;
    }
    if (check_groups(c, &group)) {
        complain(user, group.text);
        fine = false;
    }
    if (check_model(c, resident, &alone, &model)) {
        complain(user, model.text);
        fine = false;
    } else if (c->tune && alone.text[0]) {
        (void)reason_set(&off, DIFFUSE_OK, "tune = yes, but tuning will be off: %s", alone.text);
        complain(user, off.text);
    }
    return fine;
}
