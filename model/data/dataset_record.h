/* dataset_record.h - the rows of a CSV file, for the kinds of data set that are one. */
#ifndef MODEL_DATA_DATASET_RECORD_H
#define MODEL_DATA_DATASET_RECORD_H

#include "model/data/csvfile.h"
#include "model/data/dataset_kind.h"

/* The next record of so many columns, `which` saying what they are where a row has others. *ret_got
 * is DATASET_ROW: the record is there, and ret_row->line is set; or what else there is, see
 * dataset_kind.h. Errors: as csvfile_next. */
DIFFUSE_MUST_CHECK diffuse_err dataset_record_next(struct csvfile *f, size_t columns,
                                                   const char *which,
                                                   struct csvfile_record *ret_record,
                                                   struct dataset_row *ret_row,
                                                   enum dataset_got *ret_got, struct reason *why);

#endif
