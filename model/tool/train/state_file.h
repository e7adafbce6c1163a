/* state_file.h - DIR/resume.safetensors, from which a run goes on: numbers (resume.h) and a JSON
 * object that says whose they are and where the run stands. It is there until the run is finished,
 * which DIR/summary.json tells. */
#ifndef MODEL_TOOL_TRAIN_STATE_FILE_H
#define MODEL_TOOL_TRAIN_STATE_FILE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "model/ckpt/resume.h"

/* Takes the reference. Errors: as resume_write. */
DIFFUSE_MUST_CHECK diffuse_err state_file_write(const char *dir, json_t *all_p,
                                                const struct resume_part *part, size_t n,
                                                struct reason *why);

/* The object; the caller lets go of it. Errors: NOTFOUND; as resume_peek; CORRUPT. */
DIFFUSE_MUST_CHECK diffuse_err state_file_read(const char *dir, json_t **ret_all,
                                               struct reason *why);

/* Does a state belong to this run? ours_p, whose reference is taken, has an object "parameters" of
 * options, and other traits beside it. Errors: INVAL, naming the first that differs from the saved
 * ones. */
DIFFUSE_MUST_CHECK diffuse_err state_file_compare(const char *dir, json_t *ours_p,
                                                  const json_t *saved, struct reason *why);

void state_file_forget(const char *dir); /* remove it: the run is finished */
/* Keep other runs out of the folder until *ret_fd is closed. Errors: BUSY (another run is there),
 * IO. */
DIFFUSE_MUST_CHECK diffuse_err state_file_lock(const char *dir, int *ret_fd, struct reason *why);

void state_file_begin(const char *dir);    /* remove what an earlier run in the folder left */
bool state_file_finished(const char *dir); /* is there a summary.json? */

/* Fill the parts. Errors: as resume_read. */
DIFFUSE_MUST_CHECK diffuse_err state_file_numbers(const char *dir, const struct resume_part *part,
                                                  size_t n, struct reason *why);

uint64_t state_file_whole(const json_t *o, const char *key);
double state_file_number(const json_t *o, const char *key);

#endif
