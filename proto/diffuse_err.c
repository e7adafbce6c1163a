/* diffuse_err.c - the sentences and names of the one error list. */
#include "proto/diffuse_err.h"

const char *diffuse_strerror(diffuse_err err) {
    switch (err) {
#define TEXT_CASE(name, number, text)                                                              \
    case DIFFUSE_##name:                                                                           \
        return text;
        DIFFUSE_ERR_LIST(TEXT_CASE)
#undef TEXT_CASE
    case DIFFUSE_ERR_FORCE_INT:
        break;
    }
    return "unknown error";
}

const char *diffuse_errname(diffuse_err err) {
    switch (err) {
#define NAME_CASE(name, number, text)                                                              \
    case DIFFUSE_##name:                                                                           \
        return #name;
        DIFFUSE_ERR_LIST(NAME_CASE)
#undef NAME_CASE
    case DIFFUSE_ERR_FORCE_INT:
        break;
    }
    return "UNKNOWN";
}
