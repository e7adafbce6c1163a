/* What is logged: fields in the journal, the same on stderr, rate, and the catalog of the kinds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/common/log.h"
#include "proto/limits.h"
#include "tests/lib/document.h"

#define LINES 64

/* What the journal was sent, each line as "\nKEY=VALUE\nKEY=VALUE\n". */
static char sent[LINES][4096];
static int n_sent;

int sd_journal_sendv(const struct iovec *part, int n);
int sd_journal_sendv(const struct iovec *part, int n) { /* in place of libsystemd's */
    size_t used = 0;
    assert_true(n_sent < LINES);
    sent[n_sent][used++] = '\n';
    for (int i = 0; i < n; i++) {
        assert_true(used + part[i].iov_len + 2 < sizeof sent[0]);
        memcpy(sent[n_sent] + used, part[i].iov_base, part[i].iov_len);
        used += part[i].iov_len;
        sent[n_sent][used++] = '\n';
    }
    sent[n_sent++][used] = '\0';
    return 0;
}

static void has(int line, const char *field) {
    char text[512];
    snprintf(text, sizeof text, "\n%s\n", field);
    if (!strstr(sent[line], text))
        fail_msg("no %s in: %s", field, sent[line]);
}

static struct log begin(bool journal) {
    struct log log;
    log_init(&log);
    log.journal = journal;
    n_sent = 0;
    return log;
}

static void test_fields(void **state) {
    (void)state;
    char id[64];
    struct log log = begin(true);
    log_line(&log, LOG_ready, "up with %d labels", 4);
    assert_null(strstr(sent[0], "DIFFUSED_MODEL"));
    log_model(&log, "a477ab2223c0ffee");
    log_input(&log, LOG_refused, DIFFUSE_BADTEXT, "robot7/x", 6, 42, "refused: %s", "why");
    assert_int_equal(n_sent, 2);
    has(0, "MESSAGE=up with 4 labels");
    has(0, "PRIORITY=5");
    has(0, "DIFFUSED_EVENT=ready");
    has(0, "CODE_FUNC=test_fields");
    assert_null(strstr(sent[0], "DIFFUSED_STREAM"));
    assert_null(strstr(sent[0], "DIFFUSED_ERROR"));
    snprintf(id, sizeof id, "MESSAGE_ID=%s", log_row(LOG_refused)->id);
    has(1, id);
    has(1, "MESSAGE=stream robot7 seq 42: refused: why");
    has(1, "PRIORITY=4");
    has(1, "DIFFUSED_STREAM=robot7");
    has(1, "DIFFUSED_SEQ=42");
    has(1, "DIFFUSED_MODEL=a477ab2223c0ffee");
    has(1, "DIFFUSED_ERROR=BADTEXT");
    assert_non_null(strstr(sent[1], "\nCODE_FILE=tests/unit/daemon/test_log.c\nCODE_LINE="));
}

static void test_nothing_forges_a_field(void **state) {
    (void)state;
    struct log log = begin(true);
    log_input(&log, LOG_gap, DIFFUSE_OK, "a\nPRIORITY=0", 12, 1, "x\nMESSAGE_ID=0");
    has(0, "DIFFUSED_STREAM=a?PRIORITY=0");
    has(0, "MESSAGE=stream a?PRIORITY=0 seq 1: x?MESSAGE_ID=0");
}

static void test_named_kinds(void **state) {
    (void)state;
    struct log log = begin(true);
    log_named(&log, "tune-promoted", false, "better");
    log_named(&log, "tune-refused", true, "worse");
    log_named(&log, "never-heard-of", false, "what");
    has(0, "DIFFUSED_EVENT=tune_promoted");
    has(0, "MESSAGE=tune-promoted: better");
    has(0, "PRIORITY=5");
    has(1, "DIFFUSED_EVENT=tune_refused");
    has(1, "PRIORITY=4");
    has(2, "DIFFUSED_EVENT=tuner");
}

static void test_level_and_rate(void **state) {
    (void)state;
    struct log log = begin(true);
    log.level = LOG_LEVEL_WARNING;
    log_line(&log, LOG_ready, "not severe enough");
    assert_int_equal(n_sent, 0);
    for (unsigned i = 0; i < 3 * LOG_BURST; i++) {
        log_input(&log, LOG_refused, DIFFUSE_BADTEXT, "s", 1, i, "text");
        log_input(&log, LOG_refused, DIFFUSE_EMPTY, "s", 1, i, "empty");
        log_input(&log, LOG_gap, DIFFUSE_OK, "s", 1, i, "gap");
    }
    assert_int_equal(n_sent, 3 * LOG_BURST);
    assert_int_equal(log.suppressed, 6 * LOG_BURST);
    for (unsigned kind = 0; kind < LOG_ERRORS + LOG_EVENTS; kind++)
        log.kind[kind].since -= 2000000000u; /* the second is over */
    log_tick(&log);
    assert_int_equal(n_sent, 3 * LOG_BURST + 3);
    has(3 * LOG_BURST, "DIFFUSED_EVENT=suppressed");
    has(3 * LOG_BURST + 2, "MESSAGE=10 more lines about gap were left out");
}

/* The same content on stderr. */
static void test_stderr(void **state) {
    (void)state;
    char line[512];
    struct log log = begin(false);
    FILE *file = tmpfile();
    int before = dup(STDERR_FILENO);
    assert_non_null(file);
    dup2(fileno(file), STDERR_FILENO);
    log_line(&log, LOG_stopping, "bye");
    log_model(&log, "0123456789abcdef");
    log_input(&log, LOG_refused, DIFFUSE_EMPTY, "a \"b", 4, 7, "no text");
    dup2(before, STDERR_FILENO);
    close(before);
    rewind(file);
    assert_non_null(fgets(line, sizeof line, file));
    assert_string_equal(line, "notice: bye [event=stopping]\n");
    assert_non_null(fgets(line, sizeof line, file));
    assert_string_equal(line, "warning: stream a \"b seq 7: no text [event=refused "
                              "model=0123456789ab stream=\"a \\\"b\" seq=7 error=EMPTY]\n");
    assert_null(fgets(line, sizeof line, file));
    fclose(file);
    assert_int_equal(n_sent, 0);
}

static void write_catalog(FILE *f) {
    fputs("# Explanations of what diffused logs, for journalctl -x. Made from "
          "daemon/common/event.def.\n",
          f);
    for (unsigned i = 0; i < LOG_EVENTS; i++) {
        const struct log_row *row = log_row((enum log_event)i);
        fprintf(f,
                "\n-- %s\nSubject: %s\nDefined-By: diffused\n"
                "Support: file:///usr/share/doc/diffused/README.md\n"
                "Documentation: man:diffused(8)\n\n",
                row->id, row->subject);
        size_t column = 0;
        for (const char *word = row->explanation; *word;) {
            size_t len = strcspn(word, " ");
            bool fits = column == 0 || column + 1 + len <= 80;
            fprintf(f, "%s%.*s", column == 0 ? "" : fits ? " " : "\n", (int)len, word);
            column = fits ? column + len + (column > 0) : len;
            word += len + (word[len] == ' ');
        }
        fputc('\n', f);
    }
}

/* Each kind has a name, an id of its own and an explanation, and the catalog says the same. With
 * CATALOG=FILE the file is written instead. */
static void test_catalog(void **state) {
    (void)state;
    for (unsigned i = 0; i < LOG_EVENTS; i++) {
        const struct log_row *row = log_row((enum log_event)i);
        assert_int_equal(strlen(row->id), 32);
        assert_int_equal(strspn(row->id, "0123456789abcdef"), 32);
        assert_true(strlen(row->subject) > 10 && strlen(row->explanation) > 10);
        for (unsigned k = 0; k < i; k++)
            assert_string_not_equal(row->id, log_row((enum log_event)k)->id);
    }
    document_expect("CATALOG", "systemd/diffused.catalog", write_catalog);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),      cmocka_unit_test(test_nothing_forges_a_field),
        cmocka_unit_test(test_named_kinds), cmocka_unit_test(test_level_and_rate),
        cmocka_unit_test(test_stderr),      cmocka_unit_test(test_catalog),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
