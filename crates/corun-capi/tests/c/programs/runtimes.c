/* Runtimes of one's own. */
#include "expect.h"

static void *answer(void *argument) {
    uint32_t workers;
    OK(corun_runtime_workers(NULL, &workers));
    EXPECT(workers >= 1);
    return (char *)argument + 42;
}

static void *fail(void *argument) {
    OK(corun_task_fail(3, "no"));
    return argument;
}

static void *sleep_long(void *argument) {
    corun_sleep(MS(1000000));
    return argument;
}

static void *never(void *argument) {
    (void)argument;
    failed("this runs", __FILE__, __LINE__);
    return NULL;
}

static int freed;
static void note_free(void *value) {
    (void)value;
    freed++;
}

static void *run_inside(void *argument) {
    /* A runtime may be driven from a task of another one. */
    void *result;
    OK(corun_runtime_run(argument, answer, NULL, &result));
    EXPECT(result == (void *)42);
    return NULL;
}

static int32_t return_five(int32_t argc, char **argv) {
    EXPECT(argc == 2 && strcmp(argv[1], "x") == 0);
    return 5;
}

int main(void) {
    corun_runtime_options options = CORUN_RUNTIME_OPTIONS_INIT;
    corun_runtime *runtime, *other;
    uint32_t workers;
    void *result;
    EXPECT(corun_version() == (CORUN_VERSION_MAJOR << 16 | CORUN_VERSION_MINOR << 8 | CORUN_VERSION_PATCH));
    EXPECT(strcmp(corun_status_name(CORUN_ERR_CLOSED), "CORUN_ERR_CLOSED") == 0);
    EXPECT(strcmp(corun_status_name(12345), "unknown") == 0);
    EXPECT(*corun_last_error_message() == 0 && corun_last_error_status() == CORUN_OK);

    options.workers = 2;
    options.thread_name = "mine";
    OK(corun_runtime_create(&options, &runtime));
    OK(corun_runtime_workers(runtime, &workers));
    EXPECT(workers >= 1);
    OK(corun_runtime_run(runtime, answer, NULL, &result));
    EXPECT(result == (void *)42);
    STATUS(CORUN_ERR_FAILED, corun_runtime_run(runtime, fail, &result, &result));
    STATUS(CORUN_ERR_INVALID, corun_runtime_run(runtime, NULL, NULL, NULL));
    OK(corun_runtime_create(NULL, &other));
    OK(corun_runtime_run(other, run_inside, runtime, NULL));
    OK(corun_runtime_shutdown(other, MS(10000)));
    STATUS(CORUN_ERR_HANDLE, corun_runtime_shutdown(other, 0));

    /* Who is left is cancelled and named. */
    corun_task_options task_options = CORUN_TASK_OPTIONS_INIT;
    corun_task *task;
    task_options.runtime = runtime;
    task_options.name = "the late one";
    OK(corun_spawn(sleep_long, NULL, &task_options, &task));
    until_state(task, CORUN_TASK_WAITING);
    STATUS(CORUN_ERR_SHUTDOWN, corun_runtime_shutdown(runtime, MS(5)));
    EXPECT(strstr(corun_last_error_message(), "the late one"));
    STATUS(CORUN_ERR_CANCELLED, corun_task_join(task, NULL));
    STATUS(CORUN_ERR_HANDLE, corun_spawn(never, NULL, &task_options, NULL));

    /* A runtime that takes no more. */
    OK(corun_runtime_create(NULL, &runtime));
    task_options.runtime = runtime;
    task_options.argument_destructor = note_free;
    OK(corun_task_create(never, NULL, &task_options, &task));
    OK(corun_runtime_shutdown(runtime, CORUN_FOREVER));
    STATUS(CORUN_ERR_SHUTDOWN, corun_task_start(task));
    EXPECT(freed == 1);
    int32_t state = task_state(task);
    EXPECT(state == CORUN_TASK_FAILED);
    OK(corun_task_release(task));

    /* Values out of range. */
    options.workers = 1 << 30;
    if (!getenv("CORUN_WORKERS")) STATUS(CORUN_ERR_INVALID, corun_runtime_create(&options, &runtime));
    options.workers = 1;
    options.flags = 1;
    STATUS(CORUN_ERR_INVALID, corun_runtime_create(&options, &runtime));
    options.flags = 0;
    options.stack_size = UINT64_MAX;
    STATUS(CORUN_ERR_INVALID, corun_runtime_create(&options, &runtime));
    STATUS(CORUN_ERR_INVALID, corun_runtime_create(NULL, NULL));
    OK(corun_runtime_create(NULL, &runtime));
    OK(corun_runtime_release(runtime));
    STATUS(CORUN_ERR_HANDLE, corun_runtime_release(runtime));

    char *argv[] = {"program", "x", NULL};
    EXPECT(corun_main(return_five, 2, argv) == 5);
    puts("ok");
    return 0;
}
