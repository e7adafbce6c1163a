/* test_crash.c - kill -9 before, in and after every write, fsync, rename and unlink that a journal
 * and a lineage make: what was announced is there again, and both go on.
 *
 * The test starts itself as a child under fault_shim.so; the child does the steps below and says
 * after each that it is done.
 */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "model/tune/journal/journal.h"
#include "model/tune/journal/lineage.h"
#include "tests/lib/ckpt_sample.h"

#include "cmocka.h"

#define ROOT   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define NAME   "tuned-0123456789abcdef-"
#define KEEP   2u
#define SAY_FD 3
#define CALLS  2000 /* more than there are */

/* Under a sanitizer a process takes ten times as long to start, and what it would find does not
 * depend on the call. */
#if defined(SANITIZED)
#define STRIDE 16
#else
#define STRIDE 1
#endif

/* a: append a row; l: one of 256 KiB, of which four fill the journal; s: sync; p: promote; m: mark;
 * w: withdraw; c: clear */
static const char steps[] = "aaspmalpmallaaspmwaapmpmwaspmca";
#define STEPS (sizeof steps - 1)

/* What holds after so many steps. */
struct known {
    uint64_t appended, marked, cleared; /* rows ever */
    uint64_t last, highest;             /* promotions */
};
static struct known known[STEPS + 2];

/* Rows and promotions are known by their number. */
static uint32_t ids[LIMIT_TOKENS];

static struct feedback_row make_row(uint64_t i, bool large) {
    return (struct feedback_row){.stream = "robot7/log",
                                 .stream_len = 10,
                                 .seq = i,
                                 .label = "a label",
                                 .label_len = 7,
                                 .ids = ids,
                                 .n = large ? LIMIT_TOKENS : 5,
                                 .confidence = 0.5f};
}

static diffuse_err promote(struct lineage *l, struct model *m, struct reason *why) {
    m->weights->head_out_bias[0] = (real)(l->highest + 1);
    return lineage_promote(l, m, &(struct ckpt_types){CKPT_F32, CKPT_F32, CKPT_F32}, why);
}

/* --- the child ----------------------------------------------------------- */

static diffuse_err step(char what, uint64_t row, struct journal *j, struct lineage *l,
                        struct model *m, struct reason *why) {
    const struct feedback_row made = make_row(row, what == 'l');

    switch (what) {
    case 's':
        return journal_sync(j, why);
    case 'p':
        return promote(l, m, why);
    case 'm':
        return journal_mark(j, why);
    case 'w':
        return lineage_withdraw(l, why);
    case 'c':
        return journal_clear(j, why);
    default:
        return journal_append(j, &made, why);
    }
}

static int child(const char *folder) {
    char path[128];
    struct lineage_found looked;
    struct journal_found found;
    struct reason why = {""};
    struct ckpt_sample sample;
    struct net_config c;
    struct lineage l;
    struct journal *j = NULL;
    uint64_t row = 0;
    diffuse_err e;

    ckpt_sample_config(&c);
    ckpt_sample_make(&sample, &c, -1, 1);
    (void)snprintf(path, sizeof path, "%s/journal", folder);
    if (!(e = lineage_open(&l, folder, ROOT, KEEP, &looked, &why)))
        e = journal_open(path, ROOT, JOURNAL_BYTES_MIN, NULL, NULL, &j, &found, &why);
    for (size_t i = 0; i < STEPS && !e; i++) {
        if ((e = step(steps[i], row, j, &l, sample.model, &why)))
            break;
        row += steps[i] == 'a' || steps[i] == 'l';
        if (write(SAY_FD, "", 1) != 1 || journal_dropped(j) > 0)
            return 4;
    }
    if (e) {
        fprintf(stderr, "%s\n", why.text);
        return 5;
    }
    journal_close(j);
    ckpt_sample_done(&sample);
    return 0;
}

/* --- the parent ---------------------------------------------------------- */

static char top[64], folder[96], log_path[96], program[512], shim[600];

static void foresee(void) {
    uint64_t promoted[STEPS + 1] = {0}, depth = 0;

    for (size_t i = 0; i < STEPS; i++) {
        struct known k = known[i];

        k.appended += steps[i] == 'a' || steps[i] == 'l';
        if (steps[i] == 'm')
            k.marked = k.appended;
        if (steps[i] == 'c')
            k.cleared = k.marked = k.appended;
        if (steps[i] == 'p')
            promoted[++depth] = ++k.highest;
        if (steps[i] == 'w')
            depth--;
        k.last = promoted[depth];
        known[i + 1] = k;
    }
    known[STEPS + 1] = known[STEPS]; /* after the last step there is no next one */
}

static int set_up(void **state) {
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    char *slash;

    (void)state;
    if (n <= 0)
        return -1;
    program[n] = 0;
    slash = strstr(program, "/unit/tune/test_crash");
    (void)snprintf(shim, sizeof shim, "%.*s/fault_shim.so", (int)(slash - program), program);
    (void)snprintf(top, sizeof top, "%s/test_crash.XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"); /* thousands of fsyncs */
    if (!mkdtemp(top) || access(shim, R_OK))
        return -1;
    (void)snprintf(folder, sizeof folder, "%s/state", top);
    (void)snprintf(log_path, sizeof log_path, "%s/log", top);
    foresee();
    return 0;
}

/* Files whose names hold `part`. */
static int files(const char *part, bool remove_them) {
    DIR *d = opendir(folder);
    struct dirent *entry;
    int n = 0;

    while (d && (entry = readdir(d))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            !strstr(entry->d_name, part))
            continue;
        n++;
        if (remove_them)
            assert_int_equal(unlinkat(dirfd(d), entry->d_name, 0), 0);
    }
    if (d)
        (void)closedir(d);
    return n;
}

static int tear_down(void **state) {
    (void)state;
    (void)files("", true);
    (void)unlink(log_path);
    return rmdir(folder) | rmdir(top);
}

static void be_child(unsigned long at, const char *how, int say) {
    char number[32], options[512];
    const char *had = getenv("ASAN_OPTIONS");

    (void)snprintf(number, sizeof number, "%lu", at);
    (void)snprintf(options, sizeof options, "%s%sverify_asan_link_order=0", had ? had : "",
                   had ? ":" : "");
    if (dup2(say, SAY_FD) != SAY_FD || setenv("LD_PRELOAD", shim, 1) ||
        setenv("ASAN_OPTIONS", options, 1) || setenv("FAULT_DIR", folder, 1) ||
        setenv("FAULT_AT", number, 1) || setenv("FAULT_HOW", how, 1) ||
        (at ? unsetenv("FAULT_LOG") : setenv("FAULT_LOG", log_path, 1)))
        _exit(9);
    execl(program, program, "child", folder, (char *)NULL);
    _exit(9);
}

/* From an empty folder. *ret_killed: it did not come to its end. Returns the steps that it
 * announced. */
static size_t run_child(unsigned long at, const char *how, bool *ret_killed) {
    char said[64];
    size_t steps_done = 0;
    int ends[2], status;
    pid_t pid;
    ssize_t n;

    (void)files("", true);
    assert_int_equal(pipe(ends), 0);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        be_child(at, how, ends[1]);
    (void)close(ends[1]);
    while ((n = read(ends[0], said, sizeof said)) > 0 || (n < 0 && errno == EINTR))
        steps_done += n > 0 ? (size_t)n : 0;
    (void)close(ends[0]);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    *ret_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    if (!*ret_killed && !(WIFEXITED(status) && WEXITSTATUS(status) == 0))
        fail_msg("the child ended with status %#x", (unsigned)status);
    return steps_done;
}

/* Rows as they are heard again: one after the other, up to `end`. */
struct heard {
    uint64_t first, end;
    bool any;
};

static void hear(void *user, const struct feedback_row *row, bool trained) {
    struct heard *h = user;

    assert_memory_equal(row->stream, "robot7/log", 10);
    if (!h->any)
        h->first = h->end = row->seq;
    assert_true(row->seq == h->end);
    h->any = true;
    h->end++;
    (void)trained; /* the counts say it */
}

static void assert_between(uint64_t value, uint64_t least, uint64_t most, const char *what,
                           unsigned long at, const char *how) {
    if (value < least || value > most)
        fail_msg("killed %s call %lu: %s is %llu, expected %llu to %llu", how, at, what,
                 (unsigned long long)value, (unsigned long long)least, (unsigned long long)most);
}

/* The journal holds every row that was announced and is not in a promotion that was. */
static struct journal *check_journal(const struct known *now, const struct known *then,
                                     unsigned long at, const char *how) {
    char path[128];
    struct journal_found found;
    struct reason why = {""};
    struct heard h = {.any = false};
    struct journal *j;

    (void)snprintf(path, sizeof path, "%s/journal", folder);
    if (journal_open(path, ROOT, JOURNAL_BYTES_MIN, hear, &h, &j, &found, &why))
        fail_msg("killed %s call %lu: %s", how, at, why.text);
    assert_false(found.set_aside);
    if (!h.any) {
        /* Nothing since it was begun or cleared, or it was being cleared. */
        assert_true(now->appended == now->cleared || now->appended == then->cleared);
        return j;
    }
    assert_between(h.end, now->appended, then->appended, "the end of the rows", at, how);
    assert_between(h.first, 0, then->marked, "the first row", at, how);
    if (found.untrained)
        assert_between(h.end - found.untrained, now->marked, then->marked,
                       "the first row not trained", at, how);
    return j;
}

static struct lineage check_lineage(const struct known *now, const struct known *then,
                                    unsigned long at, const char *how) {
    char path[LINEAGE_PATH_BYTES];
    struct lineage_found found;
    struct reason why = {""};
    struct arena arena;
    struct lineage l;
    struct model *m;

    if (lineage_open(&l, folder, ROOT, KEEP, &found, &why))
        fail_msg("killed %s call %lu: %s", how, at, why.text);
    assert_int_equal(found.damaged, 0); /* a file has its name only when it is whole */
    if (l.last != now->last && l.last != then->last)
        fail_msg("killed %s call %lu: promotion %llu, expected %llu or %llu", how, at,
                 (unsigned long long)l.last, (unsigned long long)now->last,
                 (unsigned long long)then->last);
    assert_true(l.highest >= now->highest);
    if (!l.last)
        return l;
    lineage_path(&l, l.last, path);
    if (ckpt_read(path, NULL, CKPT_FULL, &arena, &m, &why))
        fail_msg("killed %s call %lu: %s", how, at, why.text);
    assert_true(m->weights->head_out_bias[0] == (real)l.last);
    arena_done(&arena);
    return l;
}

/* And both go on. */
static void check_all(size_t done, unsigned long at, const char *how, struct model *m) {
    const struct known *now = &known[done], *then = &known[done + 1];
    struct lineage l = check_lineage(now, then, at, how), again;
    struct journal *j = check_journal(now, then, at, how);
    const struct feedback_row row = make_row(now->appended, false);
    struct lineage_found looked;
    struct journal_found found, found_again;
    struct reason why = {""};
    char path[128];

    assert_int_equal(files(".tmp.", false), 0);
    assert_int_equal(journal_append(j, &row, &why), DIFFUSE_OK);
    assert_int_equal(promote(&l, m, &why), DIFFUSE_OK);
    assert_true(l.last > now->highest);
    journal_close(j);
    assert_int_equal(lineage_open(&again, folder, ROOT, KEEP, &looked, &why), DIFFUSE_OK);
    assert_true(again.last == l.last);
    assert_true(files(NAME, false) - files(".withdrawn", false) <= (int)KEEP);
    assert_true(files(".withdrawn", false) <= (int)KEEP);
    (void)snprintf(path, sizeof path, "%s/journal", folder);
    assert_int_equal(journal_open(path, ROOT, JOURNAL_BYTES_MIN, NULL, NULL, &j, &found, &why),
                     DIFFUSE_OK);
    assert_int_equal(found.cut, 0);
    assert_int_equal(journal_mark(j, &why), DIFFUSE_OK);
    journal_close(j);
    assert_int_equal(
        journal_open(path, ROOT, JOURNAL_BYTES_MIN, NULL, NULL, &j, &found_again, &why),
        DIFFUSE_OK);
    journal_close(j);
    assert_int_equal(found_again.rows, found.rows);
    assert_int_equal(found_again.untrained, 0);
}

static void test_every_call(void **state) {
    static const char *const ways[] = {"before", "after", "short"};
    struct ckpt_sample sample;
    struct net_config c;

    (void)state;
    assert_int_equal(mkdir(folder, 0700), 0);
    ckpt_sample_config(&c);
    ckpt_sample_make(&sample, &c, -1, 1);
    for (size_t w = 0; w < 3; w++) {
        bool killed = true;
        unsigned long at, times = 0;

        for (at = 1 + w % STRIDE; killed; at += STRIDE) {
            size_t done = run_child(at, ways[w], &killed);

            assert_true(at < CALLS && (killed || done == STEPS));
            check_all(done, at, ways[w], sample.model);
            times += killed;
        }
        assert_true(at > 100); /* or the shim saw nothing */
        printf("killed %s a call, %lu times\n", ways[w], times);
    }
    ckpt_sample_done(&sample);
}

/* The last thing that happened to a path before it was renamed must be a flush, and right after
 * that the folder is flushed: else a power cut could leave the new name on an empty file. */
static void test_order_of_flushes(void **state) {
    static char call[CALLS][16], path[CALLS][256];
    size_t n = 0, renames = 0;
    bool killed;
    FILE *f;

    (void)state;
    assert_int_equal(run_child(0, "before", &killed), STEPS);
    assert_false(killed);
    assert_non_null(f = fopen(log_path, "r"));
    while (n < CALLS && fscanf(f, "%*u %15s %255s", call[n], path[n]) == 2)
        n++;
    (void)fclose(f);
    for (size_t i = 0; i < n; i++) {
        size_t before = i;

        if (strcmp(call[i], "rename") != 0)
            continue;
        renames++;
        assert_true(i + 1 < n);
        assert_string_equal(call[i + 1], "fsync");
        assert_string_equal(path[i + 1], folder);
        while (before-- > 0 && strcmp(path[before], path[i]) != 0)
            ;
        if (strstr(path[i],
                   ".tmp.")) { /* not a file that is withdrawn: that was flushed long ago */
            assert_true(before < i);
            assert_string_equal(call[before], "fsync");
        }
    }
    assert_true(renames >= 10);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_call),
        cmocka_unit_test(test_order_of_flushes),
    };

    if (argc == 3 && strcmp(argv[1], "child") == 0)
        return child(argv[2]);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
