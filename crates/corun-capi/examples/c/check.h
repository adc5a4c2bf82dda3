/* For the examples: what goes wrong is said, and ends the program. */
#ifndef CHECK_H
#define CHECK_H

#include <echo/corun.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK(call) check((call), #call, __FILE__, __LINE__)

static inline void check(corun_status status, const char *what, const char *file, int line) {
    if (status != CORUN_OK) {
        fprintf(stderr, "%s:%d: %s: %s: %s\n", file, line, what, corun_status_name(status), corun_last_error_message());
        exit(1);
    }
}

#endif
