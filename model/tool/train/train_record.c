#include "model/tool/train/train_record.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "model/ckpt/file/atomic_file.h"
#include "model/tool/common/machine.h"
#include "model/tool/train/state_file.h"

#define PATH_BYTES 4096

static diffuse_err open_in(const struct train_record *r, const char *name, const char *mode,
                           FILE **ret_file, struct reason *why) {
    char path[PATH_BYTES];
    FILE *f;

    if ((size_t)snprintf(path, sizeof path, "%s/%s", r->dir, name) >= sizeof path)
        return reason_set(why, DIFFUSE_TOOBIG, "%s: the path is too long", r->dir);
    f = fopen(path, mode);
    if (!f)
        return reason_set(why, DIFFUSE_IO, "%s: cannot be written: %s", path, strerror(errno));
    *ret_file = f;
    return DIFFUSE_OK;
}

diffuse_err train_record_open_csv(struct train_record *r, const char *dir, bool quiet, bool go_on,
                                  const char *csv, const char *header, struct reason *why) {
    diffuse_err e;

    *r = (struct train_record){
        .dir = dir, .csv_name = csv, .header = header, .quiet = quiet, .go_on = go_on, .lock = -1};
    r->made = mkdir(dir, 0777) == 0;
    if (!r->made && errno != EEXIST)
        return reason_set(why, DIFFUSE_IO, "%s: the folder cannot be made: %s", dir,
                          strerror(errno));
    if ((e = state_file_lock(dir, &r->lock, why)))
        return e;
    r->log = open_memstream(&r->held, &r->held_len);
    return r->log ? DIFFUSE_OK : DIFFUSE_NOMEM;
}

/* The lines that were held go to the file, and those to come. */
static diffuse_err begin_log(struct train_record *r, struct reason *why) {
    FILE *log = NULL;
    diffuse_err e;

    if (fflush(r->log) != 0)
        return DIFFUSE_NOMEM;
    if ((e = open_in(r, "training.log", r->go_on ? "ae" : "we", &log, why)))
        return e;
    (void)fwrite(r->held, 1, r->held_len, log);
    fflush(log);
    fclose(r->log);
    free(r->held);
    r->held = NULL;
    r->log = log;
    return DIFFUSE_OK;
}

diffuse_err train_record_begin(struct train_record *r, struct reason *why) {
    diffuse_err e = begin_log(r, why);

    if (e || (e = open_in(r, r->csv_name, "ae", &r->csv, why)))
        return e;
    return r->go_on ? DIFFUSE_OK : train_record_rewind(r, why);
}

diffuse_err train_record_rewind(struct train_record *r, struct reason *why) {
    if (fflush(r->csv) != 0 || ftruncate(fileno(r->csv), 0) != 0)
        return reason_set(why, DIFFUSE_IO, "%s: the CSV file cannot be begun anew: %s", r->dir,
                          strerror(errno));
    fprintf(r->csv, "%s\n", r->header);
    fflush(r->csv);
    return DIFFUSE_OK;
}

diffuse_err train_record_open(struct train_record *r, const char *dir, bool quiet, bool go_on,
                              struct reason *why) {
    return train_record_open_csv(
        r, dir, quiet, go_on, "epoch_results.csv",
        "epoch,train_loss,train_acc,valid_loss,valid_acc,test_loss,test_acc,epoch_time,"
        "peak_resident_mb,overfitting_gap,grad_norm,rate,tokens_per_second",
        why);
}

void train_record_close(struct train_record *r) {
    if (r->log)
        fclose(r->log);
    if (r->csv)
        fclose(r->csv);
    else if (r->made)
        (void)rmdir(r->dir);
    free(r->held);
    if (r->dir && r->lock >= 0)
        (void)close(r->lock);
    *r = (struct train_record){0};
}

static void log_line(struct train_record *r, const char *line) {
    char stamp[32];
    time_t now = time(NULL);
    struct tm tm;

    strftime(stamp, sizeof stamp, "%Y-%m-%d %H:%M:%S", localtime_r(&now, &tm));
    fprintf(r->log, "%s %s\n", stamp, line);
    fflush(r->log);
}

void train_record_line(struct train_record *r, const char *format, ...) {
    char line[1024];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    log_line(r, line);
    if (!r->quiet)
        fprintf(stderr, "%s\n", line);
}

void train_record_warn(struct train_record *r, const char *format, ...) {
    char line[1024];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(line, sizeof line, format, args);
    va_end(args);
    log_line(r, line);
    fprintf(stderr, "diffuse: %s\n", line);
}

void train_record_stats(struct train_record *r, const char *what,
                        const struct dataset_stats *stats) {
    if (stats->suspicion[0])
        train_record_warn(r, "%s: %s", what, stats->suspicion);
    if (stats->bad_rows)
        train_record_warn(r, "%s: %llu bad rows left out, the first: %s (%llu lines in all)", what,
                          (unsigned long long)stats->bad_rows, stats->first_bad,
                          (unsigned long long)stats->bad_lines);
}

double train_record_resident_mb(void) {
    struct rusage u;

    return getrusage(RUSAGE_SELF, &u) == 0 ? (double)u.ru_maxrss / 1024 : 0;
}

static double accuracy(const struct eval_result *r) {
    return r->rows ? (double)r->hits / (double)r->rows : 0;
}

/* "loss,accuracy", or two empty fields where nothing was scored. */
static void csv_score(FILE *f, const struct eval_result *r) {
    if (r->rows)
        fprintf(f, "%.6f,%.6f,", r->loss, accuracy(r));
    else
        fputs(",,", f);
}

void train_record_row(struct train_record *r, const struct fit_epoch *e, double seconds) {
    const struct eval_result *held = e->test.rows ? &e->test : &e->valid;

    fprintf(r->csv, "%u,%.6f,%.6f,", e->epoch, e->train_loss, e->train_accuracy);
    csv_score(r->csv, &e->valid);
    csv_score(r->csv, &e->test);
    fprintf(r->csv, "%.2f,%.1f,", seconds, train_record_resident_mb());
    if (held->rows)
        fprintf(r->csv, "%.2f", 100 * (e->train_accuracy - accuracy(held)));
    fprintf(r->csv, ",%.4f,%.6f,%.0f\n", e->grad_norm, e->rate,
            seconds > 0 ? (double)e->tokens / seconds : 0);
    fflush(r->csv);
}

void train_record_epoch(struct train_record *r, const struct fit_epoch *e, double seconds) {
    char valid[64] = "", test[64] = "", scale[64] = "";

    train_record_row(r, e, seconds);
    if (e->valid.rows)
        (void)snprintf(valid, sizeof valid, "  valid %.4f %.4f", e->valid.loss,
                       accuracy(&e->valid));
    if (e->test.rows)
        (void)snprintf(test, sizeof test, "  test %.4f %.4f", e->test.loss, accuracy(&e->test));
    if (e->skipped || e->loss_scale != 1)
        (void)snprintf(scale, sizeof scale, "  scale %g skipped %llu", e->loss_scale,
                       (unsigned long long)e->skipped);
    train_record_line(r, "epoch %u: train %.4f %.4f%s%s%s  %.1f s", e->epoch, e->train_loss,
                      e->train_accuracy, valid, test, scale, seconds);
}

diffuse_err train_record_config(struct train_record *r, const struct train_options *o,
                                const struct net_config *c, const struct fit_data *data,
                                struct reason *why) {
    struct weights_list l;

    weights_list_make(c, &l);
    return train_record_json(
        r, "config.json",
        json_pack("{s:s, s:o, s:o, s:{s:I, s:I, s:I, s:I, s:I, s:I}}", "version", DIFFUSE_VERSION,
                  "parameters", train_options_json(o), "machine", machine_json(), "model", "vocab",
                  (json_int_t)c->vocab, "labels", (json_int_t)c->labels, "weights",
                  (json_int_t)l.entries, "train_rows", (json_int_t)data->train->n, "valid_rows",
                  (json_int_t)(data->valid ? data->valid->n : 0), "test_rows",
                  (json_int_t)(data->test ? data->test->n : 0)),
        why);
}

/* Close f, the file name of the record; e, or IO when something did not reach the disk. */
static diffuse_err close_checked(const struct train_record *r, const char *name, FILE *f,
                                 struct reason *why) {
    bool failed = ferror(f) != 0;

    if (fclose(f) != 0 || failed)
        return reason_set(why, DIFFUSE_IO, "%s/%s: writing failed: %s", r->dir, name,
                          strerror(errno));
    return DIFFUSE_OK;
}

diffuse_err train_record_file(struct train_record *r, const char *name,
                              void (*draw)(FILE *f, const void *user), const void *user,
                              struct reason *why) {
    FILE *f = NULL;
    diffuse_err e = open_in(r, name, "we", &f, why);

    if (e)
        return e;
    draw(f, user);
    return close_checked(r, name, f, why);
}

static diffuse_err write_text(const char *path, const char *text, struct reason *why) {
    struct atomic_file f;
    diffuse_err e = atomic_file_open(&f, path, why);

    if (e)
        return e;
    if ((e = atomic_file_write(&f, text, strlen(text), why)) ||
        (e = atomic_file_write(&f, "\n", 1, why))) {
        atomic_file_abort(&f);
        return e;
    }
    return atomic_file_commit(&f, why);
}

diffuse_err train_record_json(struct train_record *r, const char *name, json_t *value_p,
                              struct reason *why) {
    char path[PATH_BYTES], *text = json_dumps(value_p, JSON_INDENT(2) | JSON_REAL_PRECISION(8));
    struct reason inner = {""};
    diffuse_err e = DIFFUSE_NOMEM;

    (void)snprintf(path, sizeof path, "%s/%s", r->dir, name);
    if (text && (e = write_text(path, text, &inner)))
        (void)reason_set(why, e, "%.200s: %s", path, inner.text);
    free(text);
    json_decref(value_p);
    return e;
}
