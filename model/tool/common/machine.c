#include "model/tool/common/machine.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "model/train/update/team.h"

json_t *machine_json(void) {
    struct utsname u;
    char model[256] = "", line[256];
    FILE *f = fopen("/proc/cpuinfo", "re");

    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "model name : %255[^\n]", model) == 1)
            break;
    if (f)
        fclose(f);
    if (uname(&u) != 0)
        memset(&u, 0, sizeof u);
    return json_pack("{s:s, s:s, s:s, s:i}", "system", u.sysname, "release", u.release, "cpu",
                     model, "cores", (int)team_cores());
}
