/* control.c - what is asked of the daemon: reload, rollback, tuning. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/call/block.h"

static diffuse_err ask(diffuse_client *c, Diffused__V1__Request *request, const char *what,
                       int timeout_ms, size_t head, block_fill *fill, void **ret_head) {
    diffuse_err e = block_ask(c, request, link_deadline(timeout_ms), head, fill, ret_head);

    if (e == DIFFUSE_TIMEOUT)
        return reason_set(&c->why, e,
                          "%s: no answer from %s in time; the daemon may be gone, or still at it",
                          what, c->address.url[ROLE_CONTROL]);
    return e;
}

static diffuse_err fill_model(void *head, struct msgmem *m, const Diffused__V1__Reply *reply,
                              struct reason *why) {
    struct diffuse_model *out = head;
    const Diffused__V1__Model *in;

    if (reply->result_case != DIFFUSED__V1__REPLY__RESULT_MODEL)
        return reason_set(why, DIFFUSE_BADMSG, "the reply names no model");
    in = reply->model;
    out->id = block_text(m, in->id);
    out->parent = block_text(m, in->parent);
    out->path = block_text(m, in->path);
    out->previous = block_text(m, in->previous);
    out->note = block_text(m, in->note);
    out->labels = in->labels;
    out->load_ns = in->load_ns;
    return DIFFUSE_OK;
}

/* A daemon on this machine means the same by a path that begins at the root; one elsewhere has
 * folders of its own. */
static diffuse_err make_absolute(diffuse_client *c, const char **path_p, char *whole) {
    char here[PATH_MAX];
    int n;

    if (!*path_p || (*path_p)[0] == '\0' || (*path_p)[0] == '/' ||
        !address_ipc_path(c->address.url[ROLE_CONTROL]))
        return DIFFUSE_OK;
    if (!getcwd(here, sizeof here))
        return reason_set(&c->why, DIFFUSE_IO, "%.200s: this folder has no path: %s", *path_p,
                          strerror(errno));
    n = snprintf(whole, LIMIT_PATH_BYTES + 1, "%s/%s", strcmp(here, "/") == 0 ? "" : here, *path_p);
    if (n > (int)LIMIT_PATH_BYTES)
        return reason_set(&c->why, DIFFUSE_INVAL, "path of %d bytes, at most %u can be sent", n,
                          LIMIT_PATH_BYTES);
    *path_p = whole;
    return DIFFUSE_OK;
}

diffuse_err diffuse_reload(diffuse_client *client, const char *path, int timeout_ms,
                           struct diffuse_model **ret_model) {
    Diffused__V1__ReloadRequest reload = DIFFUSED__V1__RELOAD_REQUEST__INIT;
    Diffused__V1__Request request = DIFFUSED__V1__REQUEST__INIT;
    char whole[LIMIT_PATH_BYTES + 1];
    size_t len;
    void *head;
    diffuse_err e;

    if ((e = make_absolute(client, &path, whole)))
        return e;
    len = path ? strlen(path) : 0;
    if (len > LIMIT_PATH_BYTES)
        return reason_set(&client->why, DIFFUSE_INVAL, "path of %zu bytes, at most %u can be sent",
                          len, LIMIT_PATH_BYTES);
    reload.path = (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)path};
    request.verb_case = DIFFUSED__V1__REQUEST__VERB_RELOAD;
    request.reload = &reload;
    e = ask(client, &request, "reload", timeout_ms, sizeof **ret_model, fill_model, &head);
    if (!e)
        *ret_model = head;
    return e;
}

diffuse_err diffuse_rollback(diffuse_client *client, int timeout_ms,
                             struct diffuse_model **ret_model) {
    Diffused__V1__RollbackRequest rollback = DIFFUSED__V1__ROLLBACK_REQUEST__INIT;
    Diffused__V1__Request request = DIFFUSED__V1__REQUEST__INIT;
    void *head;
    diffuse_err e;

    request.verb_case = DIFFUSED__V1__REQUEST__VERB_ROLLBACK;
    request.rollback = &rollback;
    e = ask(client, &request, "rollback", timeout_ms, sizeof **ret_model, fill_model, &head);
    if (!e)
        *ret_model = head;
    return e;
}

void diffuse_model_free(struct diffuse_model *model) {
    free(model);
}

static void fill_streams(struct diffuse_tune_status *out, struct msgmem *m,
                         const Diffused__V1__TuneStatus *in) {
    struct diffuse_trust *rows = msgmem_alloc(m, in->n_streams * sizeof *rows);

    for (size_t i = 0; rows && i < in->n_streams; i++) {
        const Diffused__V1__StreamTrust *row = in->streams[i];

        rows[i] = (struct diffuse_trust){.stream = block_text(m, row->stream),
                                         .feedback = row->feedback,
                                         .agreed = row->agreed,
                                         .contested = row->contested,
                                         .trust = row->trust,
                                         .distrusted = row->distrusted};
    }
    out->streams = rows;
    out->n_streams = rows ? in->n_streams : 0;
}

static diffuse_err fill_tune(void *head, struct msgmem *m, const Diffused__V1__Reply *reply,
                             struct reason *why) {
    struct diffuse_tune_status *out = head;
    const Diffused__V1__TuneStatus *in;

    if (reply->result_case != DIFFUSED__V1__REPLY__RESULT_TUNE)
        return reason_set(why, DIFFUSE_BADMSG, "the reply to a tune request does not speak of it");
    in = reply->tune;
    *out = (struct diffuse_tune_status){.on = in->on,
                                        .root_id = block_text(m, in->root_id),
                                        .serving_id = block_text(m, in->serving_id),
                                        .state_dir = block_text(m, in->state_dir),
                                        .verdict = block_text(m, in->verdict),
                                        .promotions = in->promotions,
                                        .rows_train = in->rows_train,
                                        .rows_held = in->rows_held,
                                        .rows_rehearsal = in->rows_rehearsal,
                                        .rows_new = in->rows_new,
                                        .steps = in->steps,
                                        .recent = in->recent,
                                        .recent_rows = in->recent_rows,
                                        .held_serving = in->held_serving,
                                        .held_candidate = in->held_candidate,
                                        .held_rows = in->held_rows,
                                        .p_worse = in->p_worse,
                                        .journal_bytes = in->journal_bytes};
    fill_streams(out, m, in);
    return DIFFUSE_OK;
}

diffuse_err diffuse_tune(diffuse_client *client, enum diffuse_tune_action action, int timeout_ms,
                         struct diffuse_tune_status **ret_status) {
    Diffused__V1__TuneRequest tune = DIFFUSED__V1__TUNE_REQUEST__INIT;
    Diffused__V1__Request request = DIFFUSED__V1__REQUEST__INIT;
    void *head;
    diffuse_err e;

    tune.action = (Diffused__V1__TuneRequest__Action)action;
    request.verb_case = DIFFUSED__V1__REQUEST__VERB_TUNE;
    request.tune = &tune;
    e = ask(client, &request, "tune", timeout_ms, sizeof **ret_status, fill_tune, &head);
    if (!e)
        *ret_status = head;
    return e;
}

void diffuse_tune_free(struct diffuse_tune_status *status) {
    free(status);
}
