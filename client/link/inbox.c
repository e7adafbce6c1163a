#include "client/link/inbox.h"

void inbox_done(struct inbox *inbox) {
    diffuse_result *r;

    while ((r = inbox_take(inbox)))
        diffuse_result_free(r);
    link_close(inbox->socket);
    inbox->socket = NULL;
}

diffuse_err inbox_keep(struct inbox *inbox, diffuse_result **result_p, struct reason *why) {
    diffuse_result *r = *result_p;

    *result_p = NULL;
    if (inbox->n >= INBOX_MAX) {
        diffuse_result_free(r);
        return reason_set(why, DIFFUSE_BUSY, "%d answers wait to be taken: call next more often",
                          INBOX_MAX);
    }
    r->next = NULL;
    if (inbox->last)
        inbox->last->next = r;
    else
        inbox->first = r;
    inbox->last = r;
    inbox->n++;
    return DIFFUSE_OK;
}

diffuse_result *inbox_take(struct inbox *inbox) {
    diffuse_result *r = inbox->first;

    if (!r)
        return NULL;
    inbox->first = r->next;
    if (!inbox->first)
        inbox->last = NULL;
    inbox->n--;
    r->next = NULL;
    return r;
}

diffuse_err inbox_receive(struct inbox *inbox, int64_t deadline, diffuse_result **ret_result,
                          struct reason *why) {
    struct link_message message;
    diffuse_err e = link_recv(inbox->socket, deadline, &message);

    if (e)
        return reason_set(why, e, "waiting for an answer: %s", diffuse_strerror(e));
    e = result_new(&message, ret_result, why);
    link_message_done(&message);
    return e;
}
