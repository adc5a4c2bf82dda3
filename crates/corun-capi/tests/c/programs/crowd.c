/* A hundred thousand tasks at once. */
#include "expect.h"

enum { COUNT = 100000 };
static corun_task *tasks[COUNT];
static int32_t waiting;

static void *wait(void *argument) {
    __atomic_fetch_add(&waiting, 1, __ATOMIC_SEQ_CST);
    uint64_t number;
    STATUS(CORUN_ERR_CLOSED, corun_channel_receive_u64(argument, &number));
    return argument;
}

static void body(void) {
    corun_channel *gate;
    corun_task_options options = CORUN_TASK_OPTIONS_INIT;
    options.stack_size = 64 * 1024;
    OK(corun_channel_create(8, 0, NULL, &gate));
    for (int n = 0; n < COUNT; n++) OK(corun_spawn(wait, gate, &options, &tasks[n]));
    while (__atomic_load_n(&waiting, __ATOMIC_SEQ_CST) != COUNT) corun_sleep(MS(1));
    /* All of them are inside of the channel, which goes when the last has left. */
    OK(corun_channel_release(gate));
    for (int n = 0; n < COUNT; n++) {
        void *result;
        OK(corun_task_join(tasks[n], &result));
        EXPECT(result == gate);
    }
    corun_statistics statistics = {.size = sizeof statistics};
    OK(corun_get_statistics(&statistics));
    EXPECT(statistics.tasks_completed == COUNT && statistics.handles == 0);
}

TEST_MAIN(body)
