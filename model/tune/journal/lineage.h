/* lineage.h - the promoted checkpoints of a state folder: which one serves after a restart.
 *
 *     tuned-ROOT-000007.safetensors       ROOT: the first 16 digits of the id of the checkpoint
 * that tuning began with; 000007: the seventh promotion from it
 *     tuned-ROOT-000007.safetensors.withdrawn   rolled back; kept for a look, never served again
 *
 * A promotion is durable before it is announced: written aside, fsync, rename, fsync of the folder.
 * After a crash at any point the newest file that is whole counts. Of promoted and of withdrawn
 * files `keep` each are kept; files of other roots are left alone. Threads: one at a time; one
 * process.
 */
#ifndef MODEL_TUNE_JOURNAL_LINEAGE_H
#define MODEL_TUNE_JOURNAL_LINEAGE_H

#include <stddef.h>
#include <stdint.h>

#include "model/ckpt/ckpt.h"
#include "proto/diffuse_err.h"
#include "proto/reason.h"

#define LINEAGE_PATH_BYTES 512u

struct lineage {
    char dir[LINEAGE_PATH_BYTES];
    char root[DIGEST_HEX_BYTES]; /* id */
    uint32_t keep;               /* files kept of this root, 1 or more; older go */
    uint64_t last;               /* number of the newest promotion that is in force; 0: the root */
    uint64_t highest;            /* number ever used, withdrawn ones too: numbers are not reused */
};

struct lineage_found {
    uint32_t damaged; /* newer files that could not be read, and were passed over */
    char why[256];    /* about the last of them, or "" */
};

/* Look at the folder, which is made (0700) when it is missing. Left-over temporary files go. A
 * promoted file counts when it can be opened, is whole (its content gives its id) and is not
 * withdrawn. Errors: IO (why names the folder, what the system said), INVAL (a path that is too
 * long, no id, keep 0), NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err lineage_open(struct lineage *l, const char *dir, const char *root_id,
                                            uint32_t keep, struct lineage_found *ret_found,
                                            struct reason *why);

/* File of a promotion; number 0 gives "". */
void lineage_path(const struct lineage *l, uint64_t number, char ret_path[LINEAGE_PATH_BYTES]);

/* Write the next promotion durably and delete what is beyond keep; fills m->id. After OK l->last is
 * its number. The type is that of the file that m came from. Errors: as ckpt_write. */
DIFFUSE_MUST_CHECK diffuse_err lineage_promote(struct lineage *l, struct model *m,
                                               const struct ckpt_types *types, struct reason *why);

/* The newest promotion no longer counts, durably; l->last becomes the one before it (which may have
 * been withdrawn or deleted too, or be damaged: then the one before that, down to 0). Errors: IO.
 */
DIFFUSE_MUST_CHECK diffuse_err lineage_withdraw(struct lineage *l, struct reason *why);

/* All of this root, durably. */
DIFFUSE_MUST_CHECK diffuse_err lineage_withdraw_all(struct lineage *l, struct reason *why);

#endif
