#include "daemon/report/print.h"

#include <stdio.h>

void print_configuration(const struct conf *c) {
    for (int key = 0; key < (int)CONF_KEYS; key++) {
        char value[CONF_TEXT_BYTES * 4], origin[CONF_TEXT_BYTES + 16];
        conf_show(c, (enum conf_key)key, value, sizeof value);
        conf_origin(c, (enum conf_key)key, origin, sizeof origin);
        printf("%s = %s    ; %s\n", conf_row((enum conf_key)key)->key, value, origin);
    }
}
