/* The names that the design of Echo has. */
#define CORUN_ECHO_NAMES
#include "expect.h"

static void *function(void *argument) {
    OK(yield_coroutine());
    return argument;
}

static int32_t entry(int32_t argc, char **argv) {
    (void)argc, (void)argv;
    corun_task *task;
    corun_future *future;
    void *value;
    OK(create_coroutine(function, &task, NULL, &task));
    OK(corun_task_future(task, &future));
    OK(start_coroutine(task));
    OK(await_future(future, &value));
    EXPECT(value == &task);
    OK(corun_future_release(future));
    OK(corun_task_release(task));
    puts("ok");
    return 0;
}

int main(int argc, char **argv) { return echo_main(entry, argc, argv); }
