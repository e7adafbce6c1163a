#include "tests/lib/document.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void document_expect(const char *variable, const char *path, void (*make)(FILE *f)) {
    const char *named = getenv(variable);
    char got[512], expected[512];
    FILE *f, *made;

    if (named) {
        FILE *out = fopen(named, "we");

        assert_non_null(out);
        make(out);
        assert_int_equal(fclose(out), 0);
    }
    f = fopen(named ? named : path, "re");
    if (!f)
        skip();
    made = tmpfile();
    assert_non_null(made);
    make(made);
    rewind(made);
    while (fgets(expected, sizeof expected, made)) {
        assert_non_null(fgets(got, sizeof got, f));
        if (strcmp(got, expected) != 0)
            fail_msg("run make documents: %s stands where %s should", got, expected);
    }
    assert_null(fgets(got, sizeof got, f));
    fclose(made);
    fclose(f);
}
