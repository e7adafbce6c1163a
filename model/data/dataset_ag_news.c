/* dataset_ag_news.c - AG News as published (Zhang et al., 2015): train.csv and test.csv of "class",
 * "title","description". */
#include <stdlib.h>
#include <string.h>

#include "model/data/bytebuf.h"
#include "model/data/dataset_record.h"
#include "model/data/split_path.h"

static const char *const labels[] = {"World", "Sports", "Business", "Sci/Tech"};

struct ag_news {
    struct csvfile *file;
    struct bytebuf text; /* title and description joined */
};

static void close_files(void *state) {
    struct ag_news *s = state;

    if (!s)
        return;
    csvfile_close(s->file);
    bytebuf_done(&s->text);
    free(s);
}

static diffuse_err open_files(const char *path, enum dataset_split split, void **ret_state,
                              struct reason *why) {
    struct ag_news *s = calloc(1, sizeof *s);
    char *file = NULL;
    diffuse_err e;

    if (!s)
        return reason_set(why, DIFFUSE_NOMEM, "%s: out of memory", path);
    if ((e = split_path_need_folder(path, "train.csv and test.csv", why)) ||
        (e = split_path_find(path, split, "", ".csv", &file, why)) ||
        (e = csvfile_open(file, ",", &s->file, why))) {
        free(file);
        close_files(s);
        return e;
    }
    free(file);
    *ret_state = s;
    return DIFFUSE_OK;
}

/* Title, a space, description: half of some copies' titles are empty, and no space is put then. */
static diffuse_err join(struct ag_news *s, const struct csvfile_field *title,
                        const struct csvfile_field *description, size_t *ret_len) {
    size_t gap = title->len > 0, len = title->len + gap + description->len;
    diffuse_err e;

    if ((e = bytebuf_fit(&s->text, len)))
        return e;
    memcpy(s->text.bytes, title->bytes, title->len);
    if (gap)
        s->text.bytes[title->len] = ' ';
    memcpy(s->text.bytes + title->len + gap, description->bytes, description->len + 1);
    *ret_len = len;
    return DIFFUSE_OK;
}

static diffuse_err next_row(void *state, struct dataset_row *ret_row, enum dataset_got *ret_got,
                            struct reason *why) {
    struct ag_news *s = state;
    struct csvfile_record record;
    const char *class;
    diffuse_err e =
        dataset_record_next(s->file, 3, "class,title,description", &record, ret_row, ret_got, why);

    if (e || *ret_got != DATASET_ROW)
        return e;
    *ret_got = DATASET_BAD_ROW;
    class = record.fields[0].bytes;
    if (class[0] < '1' || class[0] > '4' || class[1])
        return reason_set(why, DIFFUSE_OK, "class '%.20s'; expected 1 to 4", class);
    if ((e = join(s, &record.fields[1], &record.fields[2], &ret_row->len)))
        return reason_set(why, e, "%s: out of memory for a row",
                          gzfile_path(csvfile_gzfile(s->file)));
    ret_row->label = labels[class[0] - '1'];
    ret_row->text = s->text.bytes;
    *ret_got = DATASET_ROW;
    return DIFFUSE_OK;
}

static const char *current_file(const void *state) {
    const struct ag_news *s = state;

    return gzfile_path(csvfile_gzfile(s->file));
}

static void progress(const void *state, uint64_t *ret_read, uint64_t *ret_total) {
    const struct ag_news *s = state;

    gzfile_progress(csvfile_gzfile(s->file), ret_read, ret_total);
}

const struct dataset_kind dataset_ag_news = {.name = "ag_news",
                                             .labels = labels,
                                             .n_labels = 4,
                                             .splits = DATASET_LABELLED_SPLITS,
                                             .open = open_files,
                                             .next = next_row,
                                             .file = current_file,
                                             .progress = progress,
                                             .close = close_files};
