/* For the tests: whatever is not as it should be is said, and ends the program. */
#ifndef EXPECT_H
#define EXPECT_H

#include <echo/corun.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPECT(condition) ((condition) ? (void)0 : failed(#condition, __FILE__, __LINE__))
#define STATUS(expected, call) status_is((expected), (call), #call, __FILE__, __LINE__)
#define OK(call) STATUS(CORUN_OK, call)
#define MS(n) ((int64_t)(n)*1000 * 1000)

static inline void failed(const char *what, const char *file, int line) {
    fprintf(stderr, "%s:%d: not so: %s\n", file, line, what);
    exit(1);
}

static inline void status_is(corun_status expected, corun_status status, const char *what, const char *file, int line) {
    if (status != expected) {
        fprintf(stderr, "%s:%d: %s: %s instead of %s (%s)\n", file, line, what, corun_status_name(status), corun_status_name(expected),
                corun_last_error_message());
        exit(1);
    }
}

static inline int32_t task_state(corun_task *task) {
    int32_t state;
    OK(corun_task_state(task, &state));
    return state;
}

/* Waits for a state that comes by itself. */
static inline void until_state(corun_task *task, int32_t state) {
    while (task_state(task) != state) corun_sleep(100 * 1000);
}

/* Runs `body` in a task of the default runtime. */
#define TEST_MAIN(body)                                       \
    static int32_t run_test(int32_t argc, char **argv) {      \
        (void)argc, (void)argv;                               \
        body();                                               \
        return 0;                                             \
    }                                                         \
    int main(int argc, char **argv) {                         \
        int code = corun_main(run_test, argc, argv);          \
        if (code == 0) puts("ok");                            \
        return code;                                          \
    }

#endif
