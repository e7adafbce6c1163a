/* diffuse_err.h - every error there is.
 *
 * Numbers travel on the wire (Label.error, Reply.error): append, never renumber, never reuse.
 * Installed beside diffuse.h; compiles as C89, C17 and C++.
 */
#ifndef DIFFUSE_ERR_H
#define DIFFUSE_ERR_H

#define DIFFUSE_ERR_LIST(X)                                                                        \
    X(OK, 0, "no error")                                                                           \
    X(NOMEM, 1, "out of memory; the object is still usable")                                       \
    X(TOOBIG, 2, "text, frame or message above its limit")                                         \
    X(BADMSG, 3, "message is not valid for this protocol version")                                 \
    X(BUSY, 4, "queue full; retry after a pause")                                                  \
    X(TIMEOUT, 5, "no answer in time; the ticket stays valid")                                     \
    X(UNREACH, 6, "nobody answers at the endpoint")                                                \
    X(INVAL, 7, "an argument breaks the contract of the call")                                     \
    X(NOTFOUND, 8, "unknown ticket, label, key or file")                                           \
    X(CORRUPT, 9, "checkpoint damaged or of an unknown format")                                    \
    X(IO, 10, "the system refused a file or socket")                                               \
    X(EMPTY, 11, "the text holds no tokens")                                                       \
    X(BADTEXT, 12, "the text is not valid UTF-8")                                                  \
    X(BADTOKEN, 13, "a token id lies outside the vocabulary")                                      \
    X(BADNAME, 14, "stream name empty, too long or not UTF-8")                                     \
    X(UNSUPPORTED, 15, "not offered by this version or this model")                                \
    X(BUDGET, 16, "does not fit the memory budget")                                                \
    X(BADDATA, 17, "data set damaged or in another format")                                        \
    X(STOPPING, 18, "the daemon is stopping")                                                      \
    X(EXPIRED, 19, "older than its max_age")                                                       \
    X(OVERLOADED, 20, "dropped: more came than could be answered")                                 \
    X(DENIED, 21, "this is for others: by group, or by the role of a key")

#define DIFFUSE_ERR_ITEM(name, number, text) DIFFUSE_##name = number,
typedef enum diffuse_err {
    DIFFUSE_ERR_LIST(DIFFUSE_ERR_ITEM) DIFFUSE_ERR_FORCE_INT = 0x7fffffff
} diffuse_err;
#undef DIFFUSE_ERR_ITEM

#if defined(__GNUC__)
#define DIFFUSE_API        __attribute__((visibility("default")))
#define DIFFUSE_MUST_CHECK __attribute__((warn_unused_result))
#else
#define DIFFUSE_API
#define DIFFUSE_MUST_CHECK
#endif

#ifdef __cplusplus
extern "C" {
#endif
/* The sentence of an error. Static text, never NULL, also for numbers that are not in the list. */
DIFFUSE_API const char *diffuse_strerror(diffuse_err err);

/* The short name of an error as in the list ("BADMSG"). Static text, never NULL. */
DIFFUSE_API const char *diffuse_errname(diffuse_err err);
#ifdef __cplusplus
}
#endif
#endif
