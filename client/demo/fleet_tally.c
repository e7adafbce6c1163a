#include "client/demo/fleet_tally.h"

#include <stdlib.h>
#include <string.h>

int fleet_tally_init(struct fleet_tally *t, const struct fleet_rows *rows) {
    *t = (struct fleet_tally){.rows = rows};
    pthread_mutex_init(&t->lock, NULL);
    t->answers = calloc(rows->n, sizeof *t->answers);
    t->latency_us = calloc(rows->n, sizeof *t->latency_us);
    return t->answers && t->latency_us ? 0 : -1;
}

void fleet_tally_done(struct fleet_tally *t) {
    if (t->rows)
        pthread_mutex_destroy(&t->lock);
    free(t->answers);
    free(t->latency_us);
    *t = (struct fleet_tally){0};
}

bool fleet_tally_right(const struct fleet_tally *t, const struct fleet_row *row,
                       const diffuse_result *r) {
    return strcmp(diffuse_result_label(r), t->rows->label[row->label]) == 0;
}

static void add(struct fleet_tally *t, const struct fleet_row *row, const diffuse_result *r,
                int64_t us) {
    if (!row) {
        t->strangers++;
        return;
    }
    if (t->answers[row - t->rows->row]++) {
        t->doubled++;
        return;
    }
    t->latency_us[t->labels++] = us < 0 ? 0 : us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
    t->errors += diffuse_result_error(r) != DIFFUSE_OK;
    t->by_label[row->label].seen++;
    if (fleet_tally_right(t, row, r)) {
        t->right++;
        t->by_label[row->label].right++;
    }
}

const struct fleet_row *fleet_tally_add(struct fleet_tally *t, const diffuse_result *r,
                                        int64_t now_ns) {
    const struct fleet_row *row =
        fleet_rows_find(t->rows, diffuse_result_stream(r), diffuse_result_seq(r));

    pthread_mutex_lock(&t->lock);
    add(t, row, r, (now_ns - diffuse_result_stamp_ns(r)) / 1000);
    pthread_mutex_unlock(&t->lock);
    return row;
}

void fleet_tally_so_far(struct fleet_tally *t, size_t *ret_labels, size_t *ret_right) {
    pthread_mutex_lock(&t->lock);
    *ret_labels = t->labels;
    *ret_right = t->right;
    pthread_mutex_unlock(&t->lock);
}

static int by_size(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

double fleet_tally_quantile_ms(struct fleet_tally *t, double share) {
    size_t n = t->labels - t->phase_from;
    uint32_t *phase = t->latency_us + t->phase_from;

    if (n == 0)
        return 0;
    qsort(phase, n, sizeof *phase, by_size);
    return phase[(size_t)(share * (double)(n - 1))] / 1000.0;
}
