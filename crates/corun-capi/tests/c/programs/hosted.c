/* A loop that its host drives, beside descriptors of the host's own. */
#include "expect.h"
#include <poll.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

static int ran, woken, fed;
static corun_event_loop *loop;
static corun_runtime *runtime;
static pthread_t home;

static int64_t now(void) {
    struct timespec time;
    EXPECT(clock_gettime(CLOCK_MONOTONIC, &time) == 0);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static void *sleepy(void *argument) {
    EXPECT(pthread_equal(pthread_self(), home));
    OK(corun_sleep(MS(5)));
    EXPECT(pthread_equal(pthread_self(), home));
    STATUS(CORUN_ERR_CONTEXT, corun_event_loop_poll(loop, NULL));
    STATUS(CORUN_ERR_CONTEXT, corun_event_loop_release(loop, 0));
    ran++;
    return argument;
}

static void *stubborn(void *argument) {
    corun_status status;
    while ((status = corun_sleep(MS(1000000))) == CORUN_OK) {}
    STATUS(CORUN_ERR_CANCELLED, status);
    woken++;
    return argument;
}

static void on_readable(corun_event *event, uint32_t events, void *data) {
    char byte;
    EXPECT(events == CORUN_EVENT_READ && pthread_equal(pthread_self(), home));
    EXPECT(read(*(int *)data, &byte, 1) == 1);
    if (++fed == 3) OK(corun_event_deregister(event));
}

static void *spawn_from_outside(void *argument) {
    corun_task_options options = CORUN_TASK_OPTIONS_INIT;
    options.runtime = runtime;
    corun_task *task;
    STATUS(CORUN_ERR_CONTEXT, corun_event_loop_poll(loop, NULL));
    for (int n = 0; n < 10; n++) {
        OK(corun_spawn(sleepy, argument, &options, &task));
        OK(corun_task_join(task, &argument)); /* a plain thread is blocked */
    }
    return argument;
}

static void *answer(void *argument) {
    OK(corun_sleep(MS(1)));
    STATUS(CORUN_ERR_CONTEXT, corun_event_loop_run(loop, answer, NULL, NULL));
    return (char *)argument + 1;
}

int main(void) {
    int ends[2], fd;
    int64_t timeout;
    int32_t more;
    void *result = NULL;
    home = pthread_self();
    EXPECT(pipe(ends) == 0);
    OK(corun_event_loop_create(&loop));
    OK(corun_event_loop_runtime(loop, &runtime));
    OK(corun_event_loop_descriptor(loop, &fd));
    OK(corun_event_loop_next_timeout(loop, &timeout));
    EXPECT(timeout == CORUN_FOREVER);
    OK(corun_event_loop_poll(loop, &more));

    corun_task_options options = CORUN_TASK_OPTIONS_INIT;
    options.runtime = runtime;
    OK(corun_spawn(sleepy, NULL, &options, NULL));
    int64_t began = now();
    corun_event_request request = CORUN_EVENT_REQUEST_INIT;
    request.events = CORUN_EVENT_READ;
    request.descriptor = ends[0];
    request.runtime = runtime;
    corun_event *event;
    OK(corun_event_register(&request, on_readable, &ends[0], &event));
    EXPECT(ran == 0);
    OK(corun_event_loop_run_until_idle(loop));
    /* The sleeper is not done, unless this thread was held up for as long as it sleeps. */
    EXPECT(ran == 0 || now() >= began + MS(5));
    OK(corun_event_loop_next_timeout(loop, &timeout));
    EXPECT(ran == 1 ? timeout == CORUN_FOREVER : timeout >= 0 && timeout <= MS(5));
    EXPECT(write(ends[1], "abc", 3) == 3);

    /* The host's main loop. */
    pthread_t thread;
    EXPECT(pthread_create(&thread, NULL, spawn_from_outside, NULL) == 0);
    while (ran < 11 || fed < 3) {
        struct pollfd polled = {fd, POLLIN, 0};
        EXPECT(poll(&polled, 1, 60000) == 1);
        do OK(corun_event_loop_poll(loop, &more));
        while (more);
    }
    EXPECT(pthread_join(thread, NULL) == 0);

    OK(corun_event_loop_run(loop, answer, &ran, &result));
    EXPECT(result == (char *)&ran + 1);

    /* Deregistered by the host, whose loop does not run just now. */
    OK(corun_event_register(&request, on_readable, &ends[0], &event));
    OK(corun_event_loop_run_until_idle(loop));
    OK(corun_event_deregister(event));
    EXPECT(write(ends[1], "d", 1) == 1);
    OK(corun_event_loop_run_until_idle(loop));
    EXPECT(fed == 3);

    OK(corun_spawn(stubborn, NULL, &options, NULL));
    OK(corun_event_loop_run_until_idle(loop));
    OK(corun_spawn(stubborn, NULL, &options, NULL)); /* it will not begin */
    OK(corun_runtime_release(runtime));
    OK(corun_event_loop_release(loop, MS(60000)));
    EXPECT(woken == 1);
    STATUS(CORUN_ERR_HANDLE, corun_event_loop_poll(loop, NULL));

    corun_statistics statistics = {.size = sizeof statistics};
    OK(corun_get_statistics(&statistics));
    EXPECT(statistics.handles == 0);
    EXPECT(statistics.tasks_cancelled == 3); /* with the event's */
    puts("ok");
    return 0;
}
