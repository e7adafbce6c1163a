/* ckpt_labels.h - label names: unique, readable, within their limit. */
#ifndef MODEL_CKPT_CKPT_LABELS_H
#define MODEL_CKPT_CKPT_LABELS_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/diffuse_err.h"
#include "proto/reason.h"

/* labels is an array of n names, each as ckpt_label_check (ckpt.h) wants it, none twice. Errors:
 * CORRUPT naming the label, NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err ckpt_labels_check(const json_t *labels, size_t n,
                                                 struct reason *why);

/* The text of a JSON array of names. Errors: as ckpt_labels_check. */
DIFFUSE_MUST_CHECK diffuse_err ckpt_labels_parse(const char *text, size_t len, json_t **ret_labels,
                                                 struct reason *why);

/* "0", "1", ... Errors: NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err ckpt_labels_number(uint32_t n, json_t **ret_labels);

/* A file of n lines. CR at line ends is dropped, the last line may lack its newline. Errors: as
 * ckpt_labels_check; a wrong count is INVAL. */
DIFFUSE_MUST_CHECK diffuse_err ckpt_labels_lines(const char *text, size_t len, uint32_t n,
                                                 json_t **ret_labels, struct reason *why);

#endif
