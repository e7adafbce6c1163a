/* machine.h - the machine that a measurement was made on, for its record. */
#ifndef MODEL_TOOL_COMMON_MACHINE_H
#define MODEL_TOOL_COMMON_MACHINE_H

#include <jansson.h>

/* System, release, cpu, cores. NULL: out of memory. */
json_t *machine_json(void);

#endif
