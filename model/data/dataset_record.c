#include "model/data/dataset_record.h"

diffuse_err dataset_record_next(struct csvfile *f, size_t columns, const char *which,
                                struct csvfile_record *ret_record, struct dataset_row *ret_row,
                                enum dataset_got *ret_got, struct reason *why) {
    bool more;
    diffuse_err e = csvfile_next(f, ret_record, &more, why);

    if (e)
        return e;
    *ret_got = DATASET_END;
    if (!more)
        return DIFFUSE_OK;
    *ret_got = DATASET_BAD_ROW;
    ret_row->line = ret_record->line;
    ret_row->lines = ret_record->lines;
    if (ret_record->flaw)
        return reason_set(why, DIFFUSE_OK, "%s", ret_record->flaw);
    if (ret_record->n != columns)
        return reason_set(why, DIFFUSE_OK, "%zu columns; expected %zu: %s", ret_record->n, columns,
                          which);
    *ret_got = DATASET_ROW;
    return DIFFUSE_OK;
}
