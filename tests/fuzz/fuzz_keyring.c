/* fuzz_keyring.c - any bytes as a list of keys or a key file: what is taken can be said again as a
 * line, and means the same. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/door/keyring.h"
#include "tests/fuzz/fuzz_driver.h"

#define KEY_A "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
#define KEY_B "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"

static void check(int holds) {
    if (!holds)
        abort();
}

static struct keyring ring, again;

static void say_again(const struct keyring_row *row) {
    char line[256];
    struct reason why = {""};
    int n = snprintf(line, sizeof line, "%s %s ", row->name, row->key);

    check(row->roles > 0 && row->roles <= KEYRING_ALL);
    for (unsigned role = 1; role <= KEYRING_CONTROL; role *= 2)
        if (row->roles & role)
            n += snprintf(line + n, sizeof line - (size_t)n, "%s,",
                          keyring_role_name((enum keyring_role)role));
    again.n = 0;
    check(keyring_take(&again, line, (size_t)n - 1, &why) == DIFFUSE_OK && again.n <= 1);
    /* a name that begins a comment was none */
    check(again.n == 1 && memcmp(&again.row[0], row, sizeof *row) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    const char *text = (const char *)bytes;
    struct keyfile keys;
    struct reason why = {""};
    size_t at = 0;

    ring.n = 0;
    while (at < n) {
        const char *end = memchr(text + at, '\n', n - at);
        size_t len = end ? (size_t)(end - text) - at : n - at;
        size_t before = ring.n;

        why.text[0] = '\0';
        if (keyring_take(&ring, text + at, len, &why))
            check(ring.n == before && why.text[0]);
        else if (ring.n > before)
            say_again(&ring.row[before]);
        at += len + 1;
    }
    if (keyring_sort(&ring, &why) == DIFFUSE_OK)
        for (size_t i = 0; i < ring.n; i++)
            check(keyring_find(&ring, ring.row[i].key) == &ring.row[i]);
    if (keyfile_parse(text, n, &keys, &why) == DIFFUSE_OK) {
        check(!keys.public_key[0] || keyfile_is_key(keys.public_key, strlen(keys.public_key)));
        check(!keys.secret_key[0] || keyfile_is_key(keys.secret_key, strlen(keys.secret_key)));
    }
    return 0;
}

#ifndef FUZZ_LIBFUZZER
int main(int argc, char **argv) {
    static const char list[] =
        "# who\nrobot7 " KEY_A " publish,feedback\npanel\t" KEY_B " subscribe,control\r\n\n";
    static const char file[] =
        "metadata\ncurve\n    public-key = \"" KEY_A "\"\n    secret-key = \"" KEY_B "\"\n";
    static const struct fuzz_driver_sample samples[] = {{list, sizeof list - 1},
                                                        {file, sizeof file - 1}};

    return fuzz_driver_run(argc, argv, samples, sizeof samples / sizeof samples[0]);
}
#endif
