/* Tasks go on on other workers, and are not held up by one that is kept busy; pinned ones stay. */
#include "expect.h"
#include <pthread.h>
#include <time.h>

static int release_busy, began;

/* Keeps its worker from everything else, as a call that blocks would. */
static void *busy(void *argument) {
    __atomic_store_n(&began, 1, __ATOMIC_SEQ_CST);
    struct timespec pause = {0, 1000 * 1000};
    while (!__atomic_load_n(&release_busy, __ATOMIC_SEQ_CST)) nanosleep(&pause, NULL);
    return argument;
}

static void *__attribute__((noinline)) here(void) { return (void *)(uintptr_t)pthread_self(); }

static void *stays(void *argument) {
    void *home = here();
    for (int n = 0; n < 100; n++) {
        OK(corun_sleep(10 * 1000));
        EXPECT(here() == home);
    }
    return argument;
}

static int moved;

static void *moves(void *argument) {
    void *last = here();
    for (int n = 0; n < 200; n++) {
        OK(corun_yield());
        void *now = here();
        if (now != last) __atomic_fetch_add(&moved, 1, __ATOMIC_SEQ_CST);
        last = now;
    }
    return argument;
}

static void *sleeps(void *argument) {
    OK(corun_sleep(MS(5)));
    return argument;
}

static void body(void) {
    uint32_t workers;
    corun_task *tasks[60], *blocker;
    corun_task_options pinned = CORUN_TASK_OPTIONS_INIT;
    pinned.flags = CORUN_TASK_PINNED;
    OK(corun_runtime_workers(NULL, &workers));
    for (int n = 0; n < 60; n++) OK(corun_spawn(n % 2 ? moves : stays, NULL, n % 2 ? NULL : &pinned, &tasks[n]));
    for (int n = 0; n < 60; n++) OK(corun_task_join(tasks[n], NULL));

    /* Sleepers on all workers; then all workers but one are kept busy. Nobody is stranded. */
    if (workers > 1) {
        for (int round = 0; round < 5; round++) {
            for (int n = 0; n < 60; n++) OK(corun_spawn(sleeps, NULL, NULL, &tasks[n]));
            __atomic_store_n(&release_busy, 0, __ATOMIC_SEQ_CST);
            __atomic_store_n(&began, 0, __ATOMIC_SEQ_CST);
            OK(corun_spawn(busy, NULL, NULL, &blocker));
            while (!__atomic_load_n(&began, __ATOMIC_SEQ_CST)) OK(corun_sleep(100 * 1000));
            for (int n = 0; n < 60; n++) OK(corun_task_join_timeout(tasks[n], MS(60000), NULL));
            __atomic_store_n(&release_busy, 1, __ATOMIC_SEQ_CST);
            OK(corun_task_join(blocker, NULL));
        }
    }
}

TEST_MAIN(body)
