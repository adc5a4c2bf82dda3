/* Many want to do what can be done once: keep a promise, take a value, start a task, cancel it. One has his way, and nothing is freed twice or not at all. */
#include "expect.h"

enum { RIVALS = 12, ROUNDS = 2000 };

#define ADD(place) __atomic_fetch_add(&(place), 1, __ATOMIC_SEQ_CST)
#define GET(place) __atomic_load_n(&(place), __ATOMIC_SEQ_CST)
#define ONE_OF(status, a, b, c) EXPECT((status) == CORUN_OK || (status) == CORUN_ERR_HANDLE || (status) == (a) || (status) == (b) || (status) == (c))

static uint32_t seed = 1;

static uint32_t next(void) {
    seed = seed * 1664525u + 1013904223u;
    return seed >> 8;
}

/* A value, and what has become of it. */
typedef struct {
    int frees, takes;
} value_t;

static void free_value(void *value) { ADD(((value_t *)value)->frees); }

typedef struct {
    int what;
    corun_promise *promise;
    corun_future *future, *other;
    corun_task *task;
    value_t *value;
    int has_given, has_kept;
} rival;

/* With the promise and its future. */
static void *keep(void *argument) {
    rival *me = argument;
    corun_status status;
    int32_t wanted;
    void *value = NULL;
    size_t chosen;
    corun_future *both[2] = {me->other, me->future};
    switch (me->what) {
    case 0:
    case 1:
        status = corun_promise_resolve(me->promise, me->value);
        ONE_OF(status, CORUN_OK, CORUN_OK, CORUN_OK);
        me->has_given = me->has_kept = status == CORUN_OK;
        break;
    case 2:
        status = corun_promise_reject(me->promise, 7, "no");
        ONE_OF(status, CORUN_OK, CORUN_OK, CORUN_OK);
        me->has_kept = status == CORUN_OK;
        break;
    case 3:
        status = corun_promise_release(me->promise);
        ONE_OF(status, CORUN_OK, CORUN_OK, CORUN_OK);
        me->has_kept = status == CORUN_OK;
        break;
    case 4:
        ONE_OF(corun_future_cancel(me->future), CORUN_OK, CORUN_OK, CORUN_OK);
        break;
    case 5:
        status = corun_future_take(me->future, &value);
        ONE_OF(status, CORUN_ERR_REJECTED, CORUN_ERR_ABANDONED, status == CORUN_ERR_STATE ? CORUN_ERR_STATE : CORUN_ERR_CANCELLED);
        if (status == CORUN_OK) ADD(((value_t *)value)->takes);
        break;
    case 6:
        status = corun_future_select(both, 2, 200000, &chosen);
        ONE_OF(status, CORUN_ERR_TIMEDOUT, CORUN_OK, CORUN_OK);
        EXPECT(status != CORUN_OK || chosen == 1);
        break;
    case 7:
        /* A reference of its own: whoever else gives up his, this one stays. */
        if (corun_future_retain(me->future) == CORUN_OK) {
            status = corun_future_await(me->future, &value);
            ONE_OF(status, CORUN_ERR_REJECTED, CORUN_ERR_ABANDONED, status == CORUN_ERR_STATE ? CORUN_ERR_STATE : CORUN_ERR_CANCELLED);
            EXPECT(status != CORUN_ERR_HANDLE);
            OK(corun_future_release(me->future));
        }
        break;
    default:
        /* More of these than fit in at once. */
        for (int n = 0; n < 20; n++) {
            status = corun_promise_is_wanted(me->promise, &wanted);
            ONE_OF(status, CORUN_OK, CORUN_OK, CORUN_OK);
            if (status != CORUN_OK) break;
        }
    }
    return NULL;
}

static void promises(int round) {
    rival rivals[RIVALS];
    value_t values[RIVALS];
    corun_task *tasks[RIVALS];
    corun_promise *promise, *other_promise;
    corun_future *future, *other;
    corun_destructor destructor = round % 3 ? free_value : NULL;
    OK(corun_promise_create(destructor, &promise, &future));
    OK(corun_promise_create(NULL, &other_promise, &other));
    memset(values, 0, sizeof values);
    for (int n = 0; n < RIVALS; n++) {
        /* One at least keeps it. */
        rivals[n] = (rival){n == 0 ? (int)(next() % 4) : (int)(next() % 14), promise, future, other, NULL, &values[n], 0, 0};
        OK(corun_spawn(keep, &rivals[n], NULL, &tasks[n]));
    }
    /* In some rounds the future is gone while they are at it. */
    int gone = round % 2;
    if (gone) OK(corun_future_release(future));
    int kept = 0;
    for (int n = 0; n < RIVALS; n++) {
        OK(corun_task_join(tasks[n], NULL));
        kept += rivals[n].has_kept;
    }
    EXPECT(kept == 1);
    STATUS(CORUN_ERR_HANDLE, corun_promise_resolve(promise, NULL));
    if (!gone) OK(corun_future_release(future));
    STATUS(CORUN_ERR_HANDLE, corun_future_poll(future, NULL));
    OK(corun_promise_release(other_promise));
    OK(corun_future_release(other));
    /* What was handed over was taken or freed, once; the rest is its owner's. */
    for (int n = 0; n < RIVALS; n++) {
        int ends = values[n].takes + values[n].frees;
        EXPECT(ends == (rivals[n].has_given ? (destructor ? 1 : values[n].takes) : 0) && values[n].takes <= 1);
    }
}

/* With a task that was made and not started. */
static int runs, dismissals;

static void *run(void *argument) {
    EXPECT(argument == &runs);
    ADD(runs);
    return NULL;
}

static void dismiss(void *argument) {
    EXPECT(argument == &runs);
    ADD(dismissals);
}

static void *handle_task(void *argument) {
    rival *me = argument;
    corun_status status;
    int32_t state;
    uint64_t id;
    switch (me->what % 5) {
    case 0: status = corun_task_start(me->task); break;
    case 1: status = corun_task_cancel(me->task); break;
    case 2: status = corun_task_join_timeout(me->task, 0, NULL); break;
    case 3: status = corun_task_state(me->task, &state); break;
    default: status = corun_task_id(me->task, &id);
    }
    me->has_kept = me->what % 5 == 0 && status == CORUN_OK;
    ONE_OF(status, CORUN_ERR_STATE, CORUN_ERR_TIMEDOUT, CORUN_ERR_CANCELLED);
    return NULL;
}

static void tasks(int round) {
    rival rivals[RIVALS];
    corun_task *others[RIVALS], *task;
    corun_future *end;
    corun_task_options options = CORUN_TASK_OPTIONS_INIT;
    options.argument_destructor = dismiss;
    options.flags = round % 4 ? 0 : CORUN_TASK_PINNED;
    int before = GET(runs) + GET(dismissals);
    OK(corun_task_create(run, &runs, &options, &task));
    OK(corun_task_future(task, &end));
    for (int n = 0; n < RIVALS; n++) {
        rivals[n] = (rival){(int)(next() % 5), NULL, NULL, NULL, task, NULL, 0, 0};
        OK(corun_spawn(handle_task, &rivals[n], NULL, &others[n]));
    }
    if (round % 2) corun_task_release(task);
    int started = 0;
    for (int n = 0; n < RIVALS; n++) {
        OK(corun_task_join(others[n], NULL));
        started += rivals[n].has_kept;
    }
    EXPECT(started <= 1);
    /* It ends in any case: it was started, or is cancelled now. A join that was in time has released it. */
    corun_task_cancel(task);
    OK(corun_future_cancel(end));
    corun_status status = corun_future_await(end, NULL);
    EXPECT(status == CORUN_OK || status == CORUN_ERR_CANCELLED);
    corun_task_release(task);
    OK(corun_future_release(end));
    EXPECT(GET(runs) + GET(dismissals) == before + 1);
}

static void body(void) {
    for (int round = 0; round < ROUNDS; round++) {
        promises(round);
        tasks(round);
    }
    corun_statistics statistics = {.size = sizeof statistics};
    OK(corun_get_statistics(&statistics));
    EXPECT(statistics.handles == 0);
    EXPECT(statistics.tasks_created == statistics.tasks_completed + statistics.tasks_failed + statistics.tasks_cancelled + 1);
}

TEST_MAIN(body)
