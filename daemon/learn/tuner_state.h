/* tuner_state.h - what a tuner holds while it is on: memory, journal, lineage, the folder's lock.
 * For tuner.c only. */
#ifndef DAEMON_LEARN_TUNER_STATE_H
#define DAEMON_LEARN_TUNER_STATE_H

#include "daemon/learn/tuner.h"

/* Reserve memory within the budget, take the state folder, hear the journal again. Errors: BUDGET
 * (the reason names rows and keys), BUSY (another daemon has the folder), IO, NOMEM, INVAL. */
DIFFUSE_MUST_CHECK diffuse_err tuner_state_open(struct tuner *t, struct reason *why);
void tuner_state_close(struct tuner *t); /* fine when it is off */

/* Close and open for what serves now; when that fails, tuning is off and that is said. */
void tuner_state_reopen(struct tuner *t);

/* t->lineage is looked at, whether tuning is on or not. Errors: IO, NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err tuner_state_lineage(struct tuner *t, struct reason *why);

/* Is it the root, or was it tuned from it? */
bool tuner_state_is_ours(const struct tuner *t, const struct loaded_model *serving);

/* What serves is not the newest promotion: those newer than it are withdrawn. */
void tuner_state_follow(struct tuner *t);

/* Another checkpoint serves, which tuning begins with from now on. */
void tuner_state_new_root(struct tuner *t, const char *id);

#endif
