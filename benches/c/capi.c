/* What the C interface costs, against the targets of S1.18 to S1.20. Each figure is the best of several rounds. See ./run. */
#include <echo/corun.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OK(call) ok((call), #call)

static void ok(corun_status status, const char *what) {
    if (status != CORUN_OK) {
        fprintf(stderr, "%s: %s: %s\n", what, corun_status_name(status), corun_last_error_message());
        exit(1);
    }
}

enum { ROUNDS = 7 };

static double best(double (*measure)(void)) {
    double least = 1e18;
    for (int n = 0; n < ROUNDS; n++) {
        double now = measure();
        if (now < least) least = now;
    }
    return least;
}

static void row(const char *what, double value, const char *unit, const char *target, int met) {
    printf("| %s | %s | %.*f %s | %s |\n", what, target, value < 10 ? 1 : 0, value, unit, *target ? (met ? "met" : "**missed**") : "");
    fflush(stdout);
}

static void *nothing(void *argument) { return argument; }

static double create_and_join(void) {
    enum { COUNT = 100000 };
    int64_t began = corun_now();
    for (int n = 0; n < COUNT; n++) {
        corun_task *task;
        OK(corun_spawn(nothing, NULL, NULL, &task));
        OK(corun_task_join(task, NULL));
    }
    return (double)(corun_now() - began) / COUNT;
}

static double create_detached(void) {
    enum { COUNT = 100000, BATCH = 1000 };
    int64_t spent = 0;
    for (int n = 0; n < COUNT / BATCH; n++) {
        int64_t began = corun_now();
        for (int m = 0; m < BATCH; m++) OK(corun_spawn(nothing, NULL, NULL, NULL));
        OK(corun_yield());
        spent += corun_now() - began;
    }
    return (double)spent / COUNT;
}

static void *yield_often(void *argument) {
    for (uintptr_t n = 0; n < (uintptr_t)argument; n++) corun_yield();
    return NULL;
}

static double switch_tasks(void) {
    enum { COUNT = 500000 };
    corun_task *task;
    OK(corun_spawn(yield_often, (void *)COUNT, NULL, &task));
    corun_yield();
    int64_t began = corun_now();
    yield_often((void *)COUNT);
    int64_t spent = corun_now() - began;
    OK(corun_task_join(task, NULL));
    return (double)spent / (2.0 * COUNT);
}

static void *yield_for_ever(void *argument) {
    while (corun_coroutine_yield(argument, NULL) == CORUN_OK) {}
    return NULL;
}

static double switch_coroutines(void) {
    enum { COUNT = 500000 };
    corun_coroutine *coroutine;
    OK(corun_coroutine_create(yield_for_ever, NULL, 0, &coroutine));
    int64_t began = corun_now();
    for (int n = 0; n < COUNT; n++) corun_coroutine_resume(coroutine, NULL, NULL);
    int64_t spent = corun_now() - began;
    OK(corun_coroutine_destroy(coroutine));
    return (double)spent / (2.0 * COUNT);
}

static double checkpoint(void) {
    enum { COUNT = 1000000 };
    int64_t began = corun_now();
    for (int n = 0; n < COUNT; n++) corun_checkpoint();
    return (double)(corun_now() - began) / COUNT;
}

static double channel_operation(void) {
    enum { COUNT = 500000 };
    corun_channel *channel;
    uint64_t number;
    OK(corun_channel_create(8, 16, NULL, &channel));
    int64_t began = corun_now();
    for (uint64_t n = 0; n < COUNT; n++) {
        corun_channel_send_u64(channel, n);
        corun_channel_receive_u64(channel, &number);
    }
    int64_t spent = corun_now() - began;
    OK(corun_channel_release(channel));
    return (double)spent / (2.0 * COUNT);
}

static void *send_many(void *argument) {
    for (uint64_t n = 0; n < 500000; n++) corun_channel_send_u64(argument, n);
    corun_channel_close(argument);
    return NULL;
}

static double messages(size_t capacity) {
    corun_channel *channel;
    uint64_t number, count = 0;
    OK(corun_channel_create(8, capacity, NULL, &channel));
    int64_t began = corun_now();
    OK(corun_spawn(send_many, channel, NULL, NULL));
    while (corun_channel_receive_u64(channel, &number) == CORUN_OK) count++;
    int64_t spent = corun_now() - began;
    OK(corun_channel_release(channel));
    return (double)spent / (double)count;
}

static double buffered(void) { return messages(1024); }
static double rendezvous(void) { return messages(0); }

static double select_two(void) {
    enum { COUNT = 200000 };
    corun_channel *channels[2];
    uint64_t number;
    size_t chosen;
    for (int n = 0; n < 2; n++) OK(corun_channel_create(8, 1, NULL, &channels[n]));
    corun_select_case cases[2] = {{channels[0], &number, CORUN_SELECT_RECEIVE, 0}, {channels[1], &number, CORUN_SELECT_RECEIVE, 0}};
    int64_t began = corun_now();
    for (uint64_t n = 0; n < COUNT; n++) {
        corun_channel_send_u64(channels[n % 2], n);
        OK(corun_select(cases, 2, CORUN_FOREVER, &chosen));
    }
    int64_t spent = corun_now() - began;
    for (int n = 0; n < 2; n++) OK(corun_channel_release(channels[n]));
    return (double)spent / COUNT;
}

static double future_create(void) {
    enum { COUNT = 200000 };
    int64_t began = corun_now();
    for (int n = 0; n < COUNT; n++) {
        corun_promise *promise;
        corun_future *future;
        OK(corun_promise_create(NULL, &promise, &future));
        OK(corun_promise_resolve(promise, NULL));
        OK(corun_future_release(future));
    }
    return (double)(corun_now() - began) / COUNT;
}

static void callback(void *data, corun_status status, void *value, int32_t code) { (void)data, (void)status, (void)value, (void)code; }

static double callback_registration(void) {
    enum { COUNT = 50000 };
    static corun_promise *promises[COUNT];
    static corun_future *futures[COUNT];
    for (int n = 0; n < COUNT; n++) OK(corun_promise_create(NULL, &promises[n], &futures[n]));
    int64_t began = corun_now();
    for (int n = 0; n < COUNT; n++) corun_future_on_complete(futures[n], callback, NULL);
    int64_t spent = corun_now() - began;
    for (int n = 0; n < COUNT; n++) {
        OK(corun_promise_resolve(promises[n], NULL));
        OK(corun_future_release(futures[n]));
    }
    return (double)spent / COUNT;
}

static double await_task(void) {
    enum { COUNT = 100000 };
    int64_t began = corun_now();
    for (int n = 0; n < COUNT; n++) {
        corun_future *future;
        OK(corun_spawn_async(nothing, NULL, NULL, &future));
        OK(corun_future_await(future, NULL));
        OK(corun_future_release(future));
    }
    return (double)(corun_now() - began) / COUNT;
}

/* Memory that the heap gives out, and what the process has resident. */
static double heap(void) {
    struct mallinfo2 now = mallinfo2();
    return (double)(now.uordblks + now.hblkhd);
}

static double resident(void) {
    long pages = 0, ignored;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%ld %ld", &ignored, &pages) != 2) exit(1);
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static corun_channel *gate;

static void *wait_at_gate(void *argument) {
    uint64_t number;
    corun_channel_receive_u64(gate, &number);
    return argument;
}

static void memory(void) {
    enum { TASKS = 100000, FEW = 20000 };
    static corun_task *tasks[TASKS];
    static corun_channel *channels[FEW];
    static corun_promise *promises[FEW];
    static corun_future *futures[FEW];

    double before = heap();
    for (int n = 0; n < FEW; n++) OK(corun_channel_create(8, 0, NULL, &channels[n]));
    double each = (heap() - before) / FEW;
    row("memory of a channel without a buffer, in all", each, "B", "", 1);
    for (int n = 0; n < FEW; n++) OK(corun_channel_release(channels[n]));
    before = heap();
    for (int n = 0; n < FEW; n++) OK(corun_promise_create(NULL, &promises[n], &futures[n]));
    each = (heap() - before) / FEW;
    row("memory of a future with its promise and both handles", each, "B", "128 B", each < 128);
    for (int n = 0; n < FEW; n++) OK(corun_promise_release(promises[n])), OK(corun_future_release(futures[n]));

    OK(corun_channel_create(8, 0, NULL, &gate));
    before = resident();
    for (int n = 0; n < TASKS; n++) {
        OK(corun_spawn(wait_at_gate, NULL, NULL, &tasks[n]));
        if (n % 100 == 99) corun_yield();
    }
    corun_sleep(1000 * 1000 * 100);
    each = (resident() - before) / TASKS - 4096;
    row("memory of a parked task beyond its page of stack, 100,000 at once", each, "B", "4 KiB", each < 4096);
    OK(corun_channel_close(gate));
    for (int n = 0; n < TASKS; n++) OK(corun_task_join(tasks[n], NULL));
    OK(corun_channel_release(gate));
}

static int32_t run(int32_t argc, char **argv) {
    (void)argc, (void)argv;
    double x;
    printf("| | target | measured | |\n|---|---|---|---|\n");
    x = best(create_and_join);
    row("make a task, run it, join it", x, "ns", "10 us", x < 10000);
    x = best(create_detached);
    row("make a task, run it, nobody joins", x, "ns", "10 us", x < 10000);
    row("async function: make, run, await", best(await_task), "ns", "", 1);
    x = best(switch_tasks);
    row("switch between tasks (corun_yield)", x, "ns", "1 us", x < 1000);
    x = best(switch_coroutines);
    row("switch between coroutines (resume or yield)", x, "ns", "1 us", x < 1000);
    row("corun_checkpoint", best(checkpoint), "ns", "", 1);
    x = best(channel_operation);
    row("channel operation, buffered, within a task", x, "ns", "100 ns", x < 100);
    x = best(buffered);
    row("message between tasks, buffer of 1,024", x, "ns", "1 us", x < 1000);
    row("message between tasks, rendezvous", best(rendezvous), "ns", "", 1);
    row("select of 2, with the send", best(select_two), "ns", "", 1);
    x = best(future_create);
    row("make a future, resolve it, release it", x, "ns", "5 us", x < 5000);
    x = best(callback_registration);
    row("leave a callback", x, "ns", "50 ns", x < 50);
    memory();
    return 0;
}

int main(int argc, char **argv) { return corun_main(run, argc, argv); }
