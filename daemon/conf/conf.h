/* conf.h - the configuration: defaults, files of `key = value` lines, and --set, in that order.
 *
 * Every key is one row of conf.def; here each becomes a field. The struct is plain data, complete
 * after conf_finish and constant from then on.
 */
#ifndef DAEMON_CONF_CONF_H
#define DAEMON_CONF_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/common/log.h"
#include "daemon/conf/confvalue.h"
#include "model/engine/kernel.h"
#include "proto/diffuse_err.h"
#include "proto/limits.h"
#include "proto/reason.h"

#define CONF_TEXT_BYTES 256u /* a text value with its NUL */
#define CONF_FILES      33u  /* the file, and what is dropped in beside it */

/* What may be chosen at ENUM keys: the name in C and the word in a file, from one list each. */
#define CONF_TOO_LONG(X)                                                                           \
    X(CONF_TRUNCATE, "truncate")                                                                   \
    X(CONF_REFUSE, "refuse")
#define CONF_RELOAD(X)                                                                             \
    X(CONF_RELOAD_NO, "no")                                                                        \
    X(CONF_RELOAD_YES, "yes")                                                                      \
    X(CONF_RELOAD_AUTO, "auto")
#define CONF_PARTS(X)                                                                              \
    X(CONF_PARTS_AUTO, "auto")                                                                     \
    X(CONF_PARTS_HEAD, "head")                                                                     \
    X(CONF_PARTS_NORMS, "norms")                                                                   \
    X(CONF_PARTS_BODY, "body")                                                                     \
    X(CONF_PARTS_ALL, "all")
#define CONF_OVERLOAD(X)                                                                           \
    X(CONF_OVERLOAD_PUSH_BACK, "push_back")                                                        \
    X(CONF_OVERLOAD_DROP_OLDEST, "drop_oldest")                                                    \
    X(CONF_OVERLOAD_DROP_NEWEST, "drop_newest")                                                    \
    X(CONF_OVERLOAD_REJECT, "reject")
#define CONF_PRECISION(X)                                                                          \
    X(CONF_PRECISION_AUTO, "auto")                                                                 \
    X(CONF_PRECISION_F32, "f32")                                                                   \
    X(CONF_PRECISION_BF16, "bf16")                                                                 \
    X(CONF_PRECISION_I8, "i8")
#define CONF_PLAIN(X)                                                                              \
    X(CONF_PLAIN_LOOPBACK, "loopback")                                                             \
    X(CONF_PLAIN_ANYWHERE, "anywhere-unprotected")
#define CONF_LOG_TARGET(X)                                                                         \
    X(CONF_LOG_AUTO, "auto")                                                                       \
    X(CONF_LOG_JOURNAL, "journal")                                                                 \
    X(CONF_LOG_STDERR, "stderr")

#define CONF_NAME(name, word) name,
#define CONF_WORD(name, word) " " word
#define CONF_WORDS(list)      (&list(CONF_WORD)[1]) /* "auto f32 bf16 i8" */
enum conf_too_long { CONF_TOO_LONG(CONF_NAME) };
enum conf_reload { CONF_RELOAD(CONF_NAME) };
enum conf_parts { CONF_PARTS(CONF_NAME) };
enum conf_overload { CONF_OVERLOAD(CONF_NAME) };
enum conf_precision { CONF_PRECISION(CONF_NAME) };
enum conf_plain { CONF_PLAIN(CONF_NAME) };
enum conf_log_target { CONF_LOG_TARGET(CONF_NAME) };

struct conf_list {
    uint32_t n;
    char item[LIMIT_PUBLISHERS][CONF_TEXT_BYTES];
};

typedef char conf_text[CONF_TEXT_BYTES];

#define CONF_FIELD_TEXT conf_text
#define CONF_FIELD_LIST struct conf_list
#define CONF_FIELD_UINT uint64_t
#define CONF_FIELD_SIZE uint64_t
#define CONF_FIELD_SPAN uint64_t
#define CONF_FIELD_MODE uint64_t
#define CONF_FIELD_BOOL uint64_t
#define CONF_FIELD_ENUM uint64_t

#define CONF(key, type, preset, min, max, choices, when, help) CONF_KEY_##key,
enum conf_key {
#include "daemon/conf/conf.def"
    CONF_KEYS
};
#undef CONF

enum conf_source { CONF_FROM_DEFAULT, CONF_FROM_FILE, CONF_FROM_OPTION, CONF_FROM_ENVIRONMENT };

struct conf {
#define CONF(key, type, preset, min, max, choices, when, help) CONF_FIELD_##type key;
#include "daemon/conf/conf.def"
#undef CONF
    struct {
        enum conf_source source;
        unsigned file; /* in files, */
        unsigned line; /* and in it */
        bool bad;      /* a value was refused; the one before is still here */
    } origin[CONF_KEYS];
    unsigned n_files; /* that were begun; the last is the one being read */
    conf_text files[CONF_FILES];
};

enum conf_when { CONF_AT_START, CONF_AT_RELOAD };

struct conf_row {
    const char *key;
    enum confvalue_type type;
    const char *preset;
    uint64_t min, max;
    const char *choices;
    enum conf_when when;
    const char *help;
    size_t offset; /* of the field in struct conf */
};

/* Row of a key. Static, never NULL for key < CONF_KEYS. */
const struct conf_row *conf_row(enum conf_key key);

/* Every key at its default. */
void conf_init(struct conf *c);

/* Values come from this file from now on. Errors: TOOBIG, more than CONF_FILES, or a longer path.
 */
DIFFUSE_MUST_CHECK diffuse_err conf_file(struct conf *c, const char *path, struct reason *why);

/* Give a key its value, in place of what an earlier file said; a LIST is added to when the same
 * file gives it again, or --set does. Unknown key, bad value, or another key that a file gives
 * twice: INVAL, the reason naming the key, what was expected, or the nearest key or word that there
 * is. */
DIFFUSE_MUST_CHECK diffuse_err conf_assign(struct conf *c, const char *key, const char *value,
                                           enum conf_source source, unsigned line,
                                           struct reason *why);

/* One "key=value" of the command line. Errors: INVAL with a reason. */
DIFFUSE_MUST_CHECK diffuse_err conf_set(struct conf *c, const char *assignment, struct reason *why);

/* Called once for each thing that is wrong: "FILE:LINE: what, and what to do". */
typedef void conf_complain(void *user, const char *line);

/* Fill in what depends on other keys and on the environment, and check the keys against each other.
 * Goes on after an error, so that all are reported; nothing is said about keys whose value was
 * refused before. Errors: INVAL, each was complained about; and c is not to be used. */
DIFFUSE_MUST_CHECK diffuse_err conf_finish_all(struct conf *c, conf_complain *complain, void *user);

/* The same for one who wants the first reason only. */
DIFFUSE_MUST_CHECK diffuse_err conf_finish(struct conf *c, struct reason *why);

/* Do both say the same? */
bool conf_same(const struct conf *a, const struct conf *b, enum conf_key key);

/* Give c what from says about a key, and where it is said. */
void conf_copy(struct conf *c, const struct conf *from, enum conf_key key);

/* The value as the file would say it, and where it came from ("default", "/etc/x.conf:7", ...). Cut
 * at cap. */
void conf_show(const struct conf *c, enum conf_key key, char *ret_text, size_t cap);
void conf_origin(const struct conf *c, enum conf_key key, char *ret_text, size_t cap);

#endif
