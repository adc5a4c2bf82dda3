/* Async functions: a task with its result in a future, which any number may await. */
#include "check.h"

static void *slow_double(void *argument) {
    CHECK(corun_sleep(10 * 1000 * 1000));
    return (void *)(2 * (uintptr_t)argument);
}

static void *failing(void *argument) {
    (void)argument;
    corun_task_fail(7, "the disk is full");
    return NULL;
}

static void plus_one(void *data, corun_status status, void *value, int32_t code, corun_promise *promise) {
    (void)data;
    if (status == CORUN_OK)
        corun_promise_resolve(promise, (void *)((uintptr_t)value + 1));
    else
        corun_promise_reject(promise, code, "it went wrong before");
}

static int32_t run(int32_t argc, char **argv) {
    (void)argc, (void)argv;
    /* Three at once take as long as one. */
    corun_future *doubled[3], *all;
    int64_t began = corun_now();
    for (uintptr_t n = 0; n < 3; n++)
        CHECK(corun_spawn_async(slow_double, (void *)(n + 10), NULL, &doubled[n]));
    CHECK(corun_future_join(doubled, 3, &all));
    CHECK(corun_future_await(all, NULL));
    for (int n = 0; n < 3; n++) {
        void *value;
        CHECK(corun_future_await(doubled[n], &value));
        printf("%lu\n", (unsigned long)(uintptr_t)value);
    }
    printf("%s\n", corun_now() - began >= 10 * 1000 * 1000 ? "not too early" : "too early");

    /* Going on from a value. */
    corun_future *next;
    void *value;
    CHECK(corun_future_then(doubled[2], plus_one, NULL, NULL, &next));
    CHECK(corun_future_await(next, &value));
    printf("%lu\n", (unsigned long)(uintptr_t)value);

    /* An error comes to whoever awaits. */
    corun_future *broken;
    int32_t code;
    const char *message;
    CHECK(corun_spawn_async(failing, NULL, NULL, &broken));
    corun_status status = corun_future_await(broken, NULL);
    CHECK(corun_future_error(broken, &code, &message));
    printf("%s: %d, %s\n", corun_status_name(status), (int)code, message);

    /* No longer than so. */
    corun_promise *promise;
    corun_future *never;
    CHECK(corun_promise_create(NULL, &promise, &never));
    printf("%s\n", corun_status_name(corun_future_await_timeout(never, 1000 * 1000, NULL)));
    corun_promise_release(promise);
    printf("%s\n", corun_status_name(corun_future_await(never, NULL)));

    corun_future_release(never);
    corun_future_release(broken);
    corun_future_release(next);
    corun_future_release(all);
    for (int n = 0; n < 3; n++)
        corun_future_release(doubled[n]);
    return 0;
}

int main(int argc, char **argv) {
    return corun_main(run, argc, argv);
}
