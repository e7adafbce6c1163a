#include "keys/keyfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char alphabet[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               ".-:+=^!/*?&<>()[]{}@%$#";

/* Five characters stand for four bytes, and some of them for more than that. */
bool keyfile_is_key(const char *text, size_t len) {
    if (len != KEYFILE_CHARS)
        return false;
    for (size_t i = 0; i < len; i += 5) {
        uint64_t value = 0;
        for (size_t k = i; k < i + 5; k++) {
            const char *at = text[k] ? strchr(alphabet, text[k]) : NULL;
            if (!at)
                return false;
            value = value * 85 + (uint64_t)(at - alphabet);
        }
        if (value > UINT32_MAX)
            return false;
    }
    return true;
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

static void trim(const char **text, size_t *len) {
    while (*len > 0 && is_blank(**text)) {
        (*text)++;
        (*len)--;
    }
    while (*len > 0 && is_blank((*text)[*len - 1]))
        (*len)--;
}

static void unquote(const char **text, size_t *len) {
    if (*len >= 2 && (**text == '"' || **text == '\'') && (*text)[*len - 1] == **text) {
        (*text)++;
        *len -= 2;
    }
}

static diffuse_err take_key(char *ret_key, const char *name, const char *value, size_t len,
                            unsigned line, struct reason *why) {
    unquote(&value, &len);
    if (!keyfile_is_key(value, len))
        return reason_set(why, DIFFUSE_INVAL,
                          "line %u: %s is no key; expected %u characters of Z85", line, name,
                          KEYFILE_CHARS);
    if (ret_key[0])
        return reason_set(why, DIFFUSE_INVAL, "line %u: a second %s; remove one", line, name);
    memcpy(ret_key, value, len);
    ret_key[len] = '\0';
    return DIFFUSE_OK;
}

/* `name = value`; headings and what else ZeroMQ's tools may write are passed over. */
static diffuse_err take_line(const char *text, size_t len, unsigned line, struct keyfile *keys,
                             struct reason *why) {
    trim(&text, &len);
    const char *equals = len > 0 && *text != '#' ? memchr(text, '=', len) : NULL;
    if (!equals)
        return DIFFUSE_OK;
    const char *value = equals + 1;
    size_t name_len = (size_t)(equals - text), value_len = len - name_len - 1;
    trim(&text, &name_len);
    trim(&value, &value_len);
    if (name_len == 10 && memcmp(text, "public-key", 10) == 0)
        return take_key(keys->public_key, "public-key", value, value_len, line, why);
    if (name_len == 10 && memcmp(text, "secret-key", 10) == 0)
        return take_key(keys->secret_key, "secret-key", value, value_len, line, why);
    return DIFFUSE_OK;
}

diffuse_err keyfile_parse(const char *text, size_t len, struct keyfile *ret_keys,
                          struct reason *why) {
    memset(ret_keys, 0, sizeof *ret_keys);
    for (unsigned line = 1; len > 0; line++) {
        const char *end = memchr(text, '\n', len);
        size_t n = end ? (size_t)(end - text) : len;
        diffuse_err e = take_line(text, n, line, ret_keys, why);
        if (e) {
            keyfile_wipe(ret_keys);
            return e;
        }
        text += n + (end != NULL);
        len -= n + (end != NULL);
    }
    return DIFFUSE_OK;
}

static diffuse_err check_owner(const struct stat *st, const char *path, enum keyfile_kind kind,
                               struct reason *why) {
    mode_t others = kind == KEYFILE_SECRET ? 077 : 022;
    if (st->st_mode & others)
        return reason_set(why, DIFFUSE_INVAL,
                          "%.300s: has mode %04o, so that others may %s it; chmod %s it", path,
                          (unsigned)st->st_mode & 07777, kind == KEYFILE_SECRET ? "read" : "change",
                          kind == KEYFILE_SECRET ? "0600" : "go-w");
    if (st->st_uid != 0 && st->st_uid != geteuid())
        return reason_set(why, DIFFUSE_INVAL,
                          "%.300s: belongs to user %u; it must belong to root or to user %u, who "
                          "runs this",
                          path, (unsigned)st->st_uid, (unsigned)geteuid());
    return DIFFUSE_OK;
}

/* Looked at through the descriptor, so that it is the file that is read. */
static diffuse_err examine(int fd, const char *path, enum keyfile_kind kind, struct reason *why) {
    struct stat st;
    if (fstat(fd, &st) != 0)
        return reason_set(why, DIFFUSE_IO, "%.300s: cannot be examined: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return reason_set(why, DIFFUSE_INVAL, "%.300s: is no regular file", path);
    if (kind == KEYFILE_PUBLIC)
        return DIFFUSE_OK;
    return check_owner(&st, path, kind, why);
}

diffuse_err keyfile_check_folder(const char *path, struct reason *why) {
    struct stat st;
    if (stat(path, &st) != 0)
        return reason_set(why, errno == ENOENT ? DIFFUSE_NOTFOUND : DIFFUSE_IO,
                          "%.300s: cannot be examined: %s", path, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return reason_set(why, DIFFUSE_INVAL, "%.300s: is no folder", path);
    return check_owner(&st, path, KEYFILE_TRUSTED, why);
}

diffuse_err keyfile_open(const char *path, enum keyfile_kind kind, FILE **ret_file,
                         struct reason *why) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY); /* no FIFO holds us */
    if (fd < 0)
        return reason_set(why, errno == ENOENT ? DIFFUSE_NOTFOUND : DIFFUSE_IO,
                          "%.300s: cannot be read: %s", path, strerror(errno));
    diffuse_err e = examine(fd, path, kind, why);
    FILE *file = e ? NULL : fdopen(fd, "r");
    if (file) {
        *ret_file = file;
        return DIFFUSE_OK;
    }
    close(fd);
    return e ? e : reason_set(why, DIFFUSE_IO, "%.300s: cannot be read: out of memory", path);
}

diffuse_err keyfile_read(const char *path, enum keyfile_kind kind, struct keyfile *ret_keys,
                         struct reason *why) {
    char text[KEYFILE_BYTES + 1];
    struct reason inner = {""};
    FILE *file;
    diffuse_err e = keyfile_open(path, kind, &file, why);
    if (e)
        return e;
    setvbuf(file, NULL, _IONBF, 0); /* a buffer of stdio's would keep the secret */
    size_t n = fread(text, 1, sizeof text, file);
    bool failed = ferror(file) != 0;
    (void)fclose(file);
    if (failed)
        e = reason_set(why, DIFFUSE_IO, "%.300s: cannot be read to its end", path);
    else if (n > KEYFILE_BYTES)
        e = reason_set(why, DIFFUSE_INVAL, "%.300s: has over %u bytes; this is no key file", path,
                       KEYFILE_BYTES);
    else if ((e = keyfile_parse(text, n, ret_keys, &inner)))
        e = reason_set(why, e, "%.300s: %.180s", path, inner.text);
    explicit_bzero(text, sizeof text);
    if (e)
        return e;
    bool secret = kind == KEYFILE_SECRET;
    if (!(secret ? ret_keys->secret_key : ret_keys->public_key)[0])
        return reason_set(why, DIFFUSE_INVAL,
                          "%.300s: holds no line %s = \"...\"; diffusectl keygen writes such files",
                          path, secret ? "secret-key" : "public-key");
    return DIFFUSE_OK;
}

void keyfile_wipe(struct keyfile *keys) {
    explicit_bzero(keys, sizeof *keys);
}
