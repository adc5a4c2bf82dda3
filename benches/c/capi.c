/* What the C interface costs: `capi WORKLOAD` prints one figure, in nanoseconds or bytes. `capi all` prints all. ./compare has the targets of S1.18 to S1.20,
 * and the same workloads of others. */
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

enum { ROUNDS = 2 };

static double best(double (*measure)(void)) {
    double least = 1e18;
    for (int n = 0; n < ROUNDS; n++) {
        double now = measure();
        if (now < least) least = now;
    }
    return least;
}

static volatile int counter;

static void *nothing(void *argument) {
    counter++;
    return argument;
}

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

enum { SWITCHES = 200000 };

/* Two tasks give way to each other. */
static double switch_tasks(void) {
    corun_task *task;
    OK(corun_spawn(yield_often, (void *)SWITCHES, NULL, &task));
    corun_yield();
    int64_t began = corun_now();
    yield_often((void *)SWITCHES);
    int64_t spent = corun_now() - began;
    OK(corun_task_join(task, NULL));
    return (double)spent / (2.0 * SWITCHES);
}

static void *both_pinned(void *spent) {
    corun_task_options pinned = CORUN_TASK_OPTIONS_INIT;
    corun_task *task;
    pinned.flags = CORUN_TASK_PINNED;
    OK(corun_spawn(yield_often, (void *)SWITCHES, &pinned, &task));
    corun_yield();
    int64_t began = corun_now();
    yield_often((void *)SWITCHES);
    *(int64_t *)spent = corun_now() - began;
    OK(corun_task_join(task, NULL));
    return NULL;
}

static double switch_pinned(void) {
    corun_task_options pinned = CORUN_TASK_OPTIONS_INIT;
    corun_task *task;
    int64_t spent;
    pinned.flags = CORUN_TASK_PINNED;
    OK(corun_spawn(both_pinned, &spent, &pinned, &task));
    OK(corun_task_join(task, NULL));
    return (double)spent / (2.0 * SWITCHES);
}

static void *yield_for_ever(void *argument) {
    while (corun_coroutine_yield(argument, NULL) == CORUN_OK) {}
    return NULL;
}

static double switch_coroutines(void) {
    enum { COUNT = 200000 };
    corun_coroutine *coroutine;
    OK(corun_coroutine_create(yield_for_ever, NULL, 0, &coroutine));
    int64_t began = corun_now();
    for (int n = 0; n < COUNT; n++) corun_coroutine_resume(coroutine, NULL, NULL);
    int64_t spent = corun_now() - began;
    OK(corun_coroutine_destroy(coroutine));
    return (double)spent / (2.0 * COUNT);
}

static double checkpoint(void) {
    enum { COUNT = 500000 };
    int64_t began = corun_now();
    for (int n = 0; n < COUNT; n++) corun_checkpoint();
    return (double)(corun_now() - began) / COUNT;
}

static double channel_operation(void) {
    enum { COUNT = 200000 };
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
    for (uint64_t n = 0; n < 200000; n++) corun_channel_send_u64(argument, n);
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
    enum { COUNT = 100000 };
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

static void *resolve(void *argument) {
    OK(corun_promise_resolve(argument, NULL));
    return NULL;
}

/* Two futures, of which another task keeps the second while this one waits for either. */
static double select_futures(void) {
    enum { COUNT = 50000 };
    int64_t spent = 0;
    size_t chosen;
    for (int n = 0; n < COUNT; n++) {
        corun_promise *promises[2];
        corun_future *futures[2];
        for (int m = 0; m < 2; m++) OK(corun_promise_create(NULL, &promises[m], &futures[m]));
        OK(corun_spawn(resolve, promises[1], NULL, NULL));
        int64_t began = corun_now();
        OK(corun_future_select(futures, 2, CORUN_FOREVER, &chosen));
        spent += corun_now() - began;
        OK(corun_promise_release(promises[0]));
        for (int m = 0; m < 2; m++) OK(corun_future_release(futures[m]));
    }
    return (double)spent / COUNT;
}

static double future_create(void) {
    enum { COUNT = 100000 };
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

static double channel_bytes(void) {
    enum { COUNT = 20000 };
    static corun_channel *channels[COUNT];
    double before = heap();
    for (int n = 0; n < COUNT; n++) OK(corun_channel_create(8, 0, NULL, &channels[n]));
    double each = (heap() - before) / COUNT;
    for (int n = 0; n < COUNT; n++) OK(corun_channel_release(channels[n]));
    return each;
}

static double futures_bytes(corun_destructor destructor) {
    enum { COUNT = 20000 };
    static corun_promise *promises[COUNT];
    static corun_future *futures[COUNT];
    double before = heap();
    for (int n = 0; n < COUNT; n++) OK(corun_promise_create(destructor, &promises[n], &futures[n]));
    double each = (heap() - before) / COUNT;
    for (int n = 0; n < COUNT; n++) OK(corun_promise_release(promises[n])), OK(corun_future_release(futures[n]));
    return each;
}

static double future_bytes(void) { return futures_bytes(NULL); }
static double owning_bytes(void) { return futures_bytes(free); }

static double task_bytes(void) {
    enum { COUNT = 100000 };
    static corun_task *tasks[COUNT];
    OK(corun_channel_create(8, 0, NULL, &gate));
    double before = resident();
    for (int n = 0; n < COUNT; n++) {
        OK(corun_spawn(wait_at_gate, NULL, NULL, &tasks[n]));
        if (n % 100 == 99) corun_yield();
    }
    corun_sleep(1000 * 1000 * 100);
    double each = (resident() - before) / COUNT;
    OK(corun_channel_close(gate));
    for (int n = 0; n < COUNT; n++) OK(corun_task_join(tasks[n], NULL));
    OK(corun_channel_release(gate));
    return each;
}

static const struct {
    const char *name;
    double (*measure)(void);
    int once;
} workloads[] = {
    {"join", create_and_join, 0},
    {"detached", create_detached, 0},
    {"await", await_task, 0},
    {"yield", switch_tasks, 0},
    {"yield-pinned", switch_pinned, 0},
    {"resume", switch_coroutines, 0},
    {"checkpoint", checkpoint, 0},
    {"operation", channel_operation, 0},
    {"buffered", buffered, 0},
    {"rendezvous", rendezvous, 0},
    {"select", select_two, 0},
    {"select-futures", select_futures, 0},
    {"future", future_create, 0},
    {"callback", callback_registration, 0},
    {"channel-bytes", channel_bytes, 1},
    {"future-bytes", future_bytes, 1},
    {"owning-bytes", owning_bytes, 1},
    {"task-bytes", task_bytes, 1},
};

static int32_t run(int32_t argc, char **argv) {
    int all = argc == 2 && strcmp(argv[1], "all") == 0;
    for (size_t n = 0; n < sizeof workloads / sizeof *workloads; n++) {
        if (argc != 2 || !(all || strcmp(argv[1], workloads[n].name) == 0)) continue;
        double figure = workloads[n].once ? workloads[n].measure() : best(workloads[n].measure);
        if (all)
            printf("%-16s %.1f\n", workloads[n].name, figure);
        else {
            printf("%.3f\n", figure);
            return 0;
        }
    }
    return all ? 0 : 2;
}

int main(int argc, char **argv) { return corun_main(run, argc, argv); }
