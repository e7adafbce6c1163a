/* team.h - a fixed team of threads that run one job side by side and wait for each other.
 *
 * Member 0 is the calling thread. Threads: one caller at a time. */
#ifndef MODEL_TRAIN_UPDATE_TEAM_H
#define MODEL_TRAIN_UPDATE_TEAM_H

#include <stddef.h>

#include "proto/diffuse_err.h"
#include "proto/reason.h"

struct team;

typedef void team_job(void *arg, unsigned member);

/* size members, 1 or more. Errors: NOMEM, IO (the system refused a thread; why says which). */
DIFFUSE_MUST_CHECK diffuse_err team_new(unsigned size, struct team **ret_team, struct reason *why);
void team_free(struct team *team); /* joins; fine with NULL */

unsigned team_size(const struct team *team);
unsigned team_cores(void); /* that this process may use, 1 to LIMIT_WORKERS */

/* Run job(arg, i) for every member i and return when all are done. */
void team_run(struct team *team, team_job *job, void *arg);

/* [*ret_from, *ret_to): the part of n that belongs to member i; the parts are in order and cover n.
 */
void team_share(const struct team *team, unsigned member, size_t n, size_t *ret_from,
                size_t *ret_to);

#endif
