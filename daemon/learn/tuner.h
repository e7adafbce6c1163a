/* tuner.h - online fine-tuning in the daemon: feedback in, promotions out.
 *
 * Runs on the thread beside the path (background.h), in slices between loads:
 *
 *      tunebox -> journal -> tune_hear -> tune_step ... -> tune_judge -> lineage_promote ->
 * background_request_load
 *
 * A promotion is a reload of a file that was written durably first; a rollback withdraws the file
 * first. So what is announced survives a crash. Threads: init before the thread beside the path
 * begins, done after it has ended; the rest on it.
 */
#ifndef DAEMON_LEARN_TUNER_H
#define DAEMON_LEARN_TUNER_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/conf/conf.h"
#include "daemon/learn/tuner_queue.h"
#include "daemon/swap/background.h"
#include "model/tune/journal/journal.h"
#include "model/tune/journal/lineage.h"
#include "model/tune/tune.h"

struct tuner {
    const struct conf *conf; /* borrowed, as are box, background and reload */
    struct tuner_queue *box;
    struct background *background;
    struct reload *reload; /* its memory of tuning is ours to say */
    char root[DIGEST_HEX_BYTES];
    const struct loaded_model *serving, *previous;
    char served[DIGEST_HEX_BYTES]; /* id of serving, as of the last rebase */
    struct lineage lineage;        /* of root; dir "": not looked at */
    struct tuner_queue_item item;
    struct arena ids; /* the item's */
    struct tuner_queue_report report;

    /* While it is on. */
    bool on;
    struct tune *tune;
    struct journal *journal;
    uint64_t forgotten;    /* rows that journals before it dropped */
    int lock;              /* descriptor of the state folder's lock; -1 */
    struct arena kept;     /* memory of retain, */
    size_t kept_length;    /* tokens of a row of it */
    struct recent *retain; /* which the loop uses until it has ordered OFF */
    uint64_t cost;         /* bytes planned */
    uint64_t rest_until, synced_ns;
    bool unsynced;
    enum tuner_turn {
        TUNER_SETTLED,
        TUNER_WANTS, /* what the lineage says shall serve; a load from elsewhere came first */
        TUNER_ASKED
    } turn;
    bool promoting; /* and that is a new promotion */
    bool saving;    /* an order to save is being carried out */
};

/* Which file serves at the start: *ret_path is the newest promotion that came from the checkpoint
 * at conf->model (whose id root is), or "" when there is none or no state folder. *ret_found tells
 * of damaged ones that were passed over. Errors: IO, NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err tuner_find(const struct conf *conf, const char *root,
                                          char ret_path[LINEAGE_PATH_BYTES],
                                          struct lineage_found *ret_found, struct reason *why);

/* root: id of the checkpoint that tuning begins with; max_length: tokens of a sample at most.
 * Errors: NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err tuner_init(struct tuner *t, const struct conf *conf,
                                          struct tuner_queue *box, struct background *background,
                                          struct reload *reload, size_t max_length,
                                          const char *root);
/* What waits goes into the journal, which is closed, and the last report is published. Fine when
 * zeroed, and twice. */
void tuner_end(struct tuner *t);
void tuner_done(struct tuner *t); /* ends it, too; fine when zeroed */

/* The hooks of background.h. */
uint32_t tuner_slice(void *user);
void tuner_rebase(void *user, const struct loaded_model *serving,
                  const struct loaded_model *previous);

/* Bytes of everything that tuning a model of this shape takes. */
uint64_t tuner_bytes(const struct conf *conf, const struct net_config *c, size_t max_length);

#endif
