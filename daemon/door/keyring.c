#include "daemon/door/keyring.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES 512

static const char *const role_names[] = {"publish", "feedback", "subscribe", "control"};
#define ROLE_NAMES (sizeof role_names / sizeof role_names[0])

const char *keyring_role_name(enum keyring_role role) {
    for (size_t i = 0; i < ROLE_NAMES; i++) {
        if ((unsigned)role == 1u << i)
            return role_names[i];
    }
    return "";
}

static bool is_name(const char *text, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] <= ' ' || (unsigned char)text[i] >= 0x7f)
            return false;
    }
    return len > 0 && len < KEYRING_NAME_BYTES;
}

static diffuse_err take_roles(const char *text, size_t len, uint8_t *ret_roles,
                              struct reason *why) {
    *ret_roles = 0;
    while (len > 0) {
        const char *comma = memchr(text, ',', len);
        size_t n = comma ? (size_t)(comma - text) : len;
        size_t i = 0;
        while (i < ROLE_NAMES &&
               (strlen(role_names[i]) != n || memcmp(role_names[i], text, n) != 0))
            i++;
        if (i == ROLE_NAMES || (comma && n + 1 == len))
            return reason_set(why, DIFFUSE_INVAL,
                              "'%.*s' is no list of roles; expected some of "
                              "publish,feedback,subscribe,control without spaces",
                              (int)(n < 40 ? n : 40), text);
        *ret_roles |= (uint8_t)(1u << i);
        text += n + (comma != NULL);
        len -= n + (comma != NULL);
    }
    return DIFFUSE_OK;
}

/* The next word; false: there is none. */
static bool next_word(const char **text, size_t *left, const char **ret_word, size_t *ret_len) {
    static const char blanks[] = " \t\r";
    while (*left > 0 && **text && strchr(blanks, **text)) {
        (*text)++;
        (*left)--;
    }
    *ret_word = *text;
    while (*left > 0 && (!**text || !strchr(blanks, **text))) {
        (*text)++;
        (*left)--;
    }
    *ret_len = (size_t)(*text - *ret_word);
    return *ret_len > 0;
}

diffuse_err keyring_take(struct keyring *ring, const char *line, size_t len, struct reason *why) {
    struct {
        const char *text;
        size_t len;
    } word[4];
    size_t n = 0;
    while (n < 4 && next_word(&line, &len, &word[n].text, &word[n].len))
        n++;
    if (n == 0 || word[0].text[0] == '#')
        return DIFFUSE_OK;
    if (n != 3)
        return reason_set(why, DIFFUSE_INVAL, "expected NAME PUBLICKEY ROLE,ROLE");
    if (!is_name(word[0].text, word[0].len))
        return reason_set(why, DIFFUSE_INVAL,
                          "the name has %zu bytes, or odd ones; expected 1 to %u of ASCII",
                          word[0].len, KEYRING_NAME_BYTES - 1);
    if (!keyfile_is_key(word[1].text, word[1].len))
        return reason_set(why, DIFFUSE_INVAL,
                          "the second word is no public key; expected %u characters of Z85",
                          KEYFILE_CHARS);
    if (ring->n == LIMIT_KEYS)
        return reason_set(why, DIFFUSE_INVAL, "more than %u keys", LIMIT_KEYS);
    struct keyring_row row = {.roles = 0};
    diffuse_err e = take_roles(word[2].text, word[2].len, &row.roles, why);
    if (e)
        return e;
    memcpy(row.name, word[0].text, word[0].len);
    memcpy(row.key, word[1].text, word[1].len);
    ring->row[ring->n++] = row;
    return DIFFUSE_OK;
}

static int compare_rows(const void *a, const void *b) {
    return strcmp(((const struct keyring_row *)a)->key, ((const struct keyring_row *)b)->key);
}

diffuse_err keyring_sort(struct keyring *ring, struct reason *why) {
    qsort(ring->row, ring->n, sizeof ring->row[0], compare_rows);
    for (size_t i = 1; i < ring->n; i++) {
        if (strcmp(ring->row[i - 1].key, ring->row[i].key) == 0)
            return reason_set(
                why, DIFFUSE_INVAL,
                "the key of '%s' is that of '%s' too; one line a key, all roles in it",
                ring->row[i].name, ring->row[i - 1].name);
    }
    return DIFFUSE_OK;
}

static diffuse_err read_file(struct keyring *ring, const char *path, struct reason *why) {
    char line[LINE_BYTES];
    struct reason inner = {""};
    FILE *file;
    diffuse_err e = keyfile_open(path, KEYFILE_TRUSTED, &file, why);
    if (e)
        return e;
    unsigned number = 0;
    while (!e && fgets(line, sizeof line, file)) {
        size_t len = strlen(line);
        number++;
        if (len > 0 && line[len - 1] == '\n')
            len--;
        else if (!feof(file))
            e = reason_set(&inner, DIFFUSE_INVAL, "a line of over %d bytes, or with a NUL in it",
                           LINE_BYTES - 2);
        if (!e)
            e = keyring_take(ring, line, len, &inner);
    }
    if (e)
        e = reason_set(why, e, "%.250s:%u: %.180s", path, number, inner.text);
    else if (ferror(file))
        e = reason_set(why, DIFFUSE_IO, "%.300s: cannot be read to its end", path);
    (void)fclose(file);
    return e;
}

static diffuse_err read_folder(struct keyring *ring, DIR *folder, const char *path,
                               struct reason *why) {
    const struct dirent *entry;
    diffuse_err e = DIFFUSE_OK;
    while (!e && (entry = readdir(folder))) {
        char file[1024];
        if (entry->d_name[0] == '.')
            continue;
        int n = snprintf(file, sizeof file, "%s/%s", path, entry->d_name);
        if (n < 0 || (size_t)n >= sizeof file)
            return reason_set(why, DIFFUSE_INVAL, "%.300s: a file with too long a name", path);
        e = read_file(ring, file, why);
    }
    return e;
}

diffuse_err keyring_read(struct keyring *ring, const char *path, struct reason *why) {
    struct reason inner = {""};
    ring->n = 0;
    DIR *folder = opendir(path);
    diffuse_err e = folder ? keyfile_check_folder(path, why) : read_file(ring, path, why);
    if (folder && !e)
        e = read_folder(ring, folder, path, why);
    if (folder)
        closedir(folder);
    if (!e && (e = keyring_sort(ring, &inner)))
        e = reason_set(why, e, "%.250s: %.180s", path, inner.text);
    if (e)
        ring->n = 0;
    return e;
}

const struct keyring_row *keyring_find(const struct keyring *ring, const char *key) {
    struct keyring_row wanted = {.roles = 0};
    snprintf(wanted.key, sizeof wanted.key, "%s", key);
    return bsearch(&wanted, ring->row, ring->n, sizeof ring->row[0], compare_rows);
}
