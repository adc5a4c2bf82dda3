/* Tasks: start a thousand, wait for all, add up their results. */
#include "check.h"

static void *square(void *argument) {
    uintptr_t n = (uintptr_t)argument;
    corun_yield(); /* The others get a turn. */
    return (void *)(n * n);
}

static int32_t run(int32_t argc, char **argv) {
    enum { COUNT = 1000 };
    static corun_task *tasks[COUNT];
    uintptr_t sum = 0;
    (void)argc, (void)argv;
    for (uintptr_t n = 0; n < COUNT; n++)
        CHECK(corun_spawn(square, (void *)n, NULL, &tasks[n]));
    for (int n = 0; n < COUNT; n++) {
        void *result;
        CHECK(corun_task_join(tasks[n], &result));
        sum += (uintptr_t)result;
    }
    printf("the squares below %d add up to %lu\n", COUNT, (unsigned long)sum);

    /* A task with a name, a small stack, and an argument that is freed whatever happens. */
    corun_task_options options = CORUN_TASK_OPTIONS_INIT;
    options.name = "sleeper";
    options.stack_size = 64 * 1024;
    options.argument_destructor = free;
    corun_task *task;
    CHECK(corun_task_create(square, malloc(100), &options, &task));
    CHECK(corun_task_cancel(task));
    printf("a task that was cancelled before it began: %s\n", corun_status_name(corun_task_join(task, NULL)));
    return 0;
}

int main(int argc, char **argv) {
    return corun_main(run, argc, argv);
}
