/* A task that does nothing but ask, again and again, gives way: also to a task that is bound to the same worker, which nobody else can run. */
#include "expect.h"

static int told;

#define GET(place) __atomic_load_n(&(place), __ATOMIC_SEQ_CST)

/* It has begun, and so stays on its worker, when the other begins to ask. */
static void *tell(void *argument) {
    OK(corun_yield());
    OK(corun_yield());
    __atomic_store_n(&told, 1, __ATOMIC_SEQ_CST);
    return argument;
}

typedef struct {
    corun_promise *promise;
    corun_future *complete, *pending;
    corun_channel *channel;
    corun_mutex *mutex;
    corun_semaphore *semaphore;
    corun_wait_group *group;
    corun_task *task;
} things;

typedef void (*question)(things *of);

static void await_complete(things *of) { OK(corun_future_await(of->complete, NULL)); }
static void await_in_time(things *of) { OK(corun_future_await_timeout(of->complete, MS(1000), NULL)); }
static void poll_complete(things *of) { OK(corun_future_poll(of->complete, NULL)); }
static void poll_pending(things *of) { STATUS(CORUN_ERR_WOULD_BLOCK, corun_future_poll(of->pending, NULL)); }
static void state_of_future(things *of) {
    int32_t state;
    OK(corun_future_state(of->pending, &state));
}
static void select_complete(things *of) {
    size_t chosen;
    corun_future *both[2] = {of->pending, of->complete};
    OK(corun_future_select(both, 2, CORUN_FOREVER, &chosen));
}
static void select_pending(things *of) {
    size_t chosen;
    STATUS(CORUN_ERR_WOULD_BLOCK, corun_future_select(&of->pending, 1, 0, &chosen));
}
static void is_wanted(things *of) {
    int32_t wanted;
    OK(corun_promise_is_wanted(of->promise, &wanted));
}
static void state_of_task(things *of) { (void)task_state(of->task); }
static void messages(things *of) {
    uint64_t number;
    OK(corun_channel_send_u64(of->channel, 1));
    OK(corun_channel_receive_u64(of->channel, &number));
}
static void try_receive(things *of) {
    uint64_t number;
    STATUS(CORUN_ERR_WOULD_BLOCK, corun_channel_try_receive(of->channel, &number));
}
static void select_none(things *of) {
    uint64_t number;
    size_t chosen;
    corun_select_case one = {of->channel, &number, CORUN_SELECT_RECEIVE, 0};
    STATUS(CORUN_ERR_WOULD_BLOCK, corun_select(&one, 1, 0, &chosen));
}
static void length(things *of) {
    size_t now;
    OK(corun_channel_length(of->channel, &now));
}
static void is_closed(things *of) {
    int32_t closed;
    OK(corun_channel_is_closed(of->channel, &closed));
}
static void lock(things *of) {
    OK(corun_mutex_lock(of->mutex));
    OK(corun_mutex_unlock(of->mutex));
}
static void acquire(things *of) {
    OK(corun_semaphore_acquire(of->semaphore));
    OK(corun_semaphore_post(of->semaphore, 1));
}
static void wait_for_none(things *of) { OK(corun_wait_group_wait(of->group)); }
static void join_in_vain(things *of) { STATUS(CORUN_ERR_STATE, corun_task_join_timeout(of->task, 0, NULL)); }

static const question questions[] = {await_complete, await_in_time, poll_complete, poll_pending, state_of_future, select_complete, select_pending, is_wanted,
                                     state_of_task, messages, try_receive, select_none, length, is_closed, lock, acquire, wait_for_none};

static void *ask(void *argument) {
    things *of = argument;
    corun_task_options pinned = CORUN_TASK_OPTIONS_INIT;
    pinned.flags = CORUN_TASK_PINNED;
    for (size_t n = 0; n < sizeof questions / sizeof *questions; n++) {
        corun_task *teller;
        __atomic_store_n(&told, 0, __ATOMIC_SEQ_CST);
        OK(corun_spawn(tell, NULL, &pinned, &teller));
        OK(corun_yield());
        int64_t began = corun_now();
        while (!GET(told)) {
            questions[n](of);
            if (corun_now() - began > MS(20000)) {
                fprintf(stderr, "question %zu keeps the worker\n", n);
                exit(1);
            }
        }
        OK(corun_task_join(teller, NULL));
    }
    /* Not a turn, but an error each time. */
    join_in_vain(of);
    return NULL;
}

static void body(void) {
    things all;
    corun_promise *kept;
    OK(corun_promise_create(NULL, &kept, &all.complete));
    OK(corun_promise_resolve(kept, NULL));
    OK(corun_promise_create(NULL, &all.promise, &all.pending));
    OK(corun_channel_create(8, 4, NULL, &all.channel));
    OK(corun_mutex_create(&all.mutex));
    OK(corun_semaphore_create(1, &all.semaphore));
    OK(corun_wait_group_create(&all.group));
    OK(corun_task_create(tell, NULL, NULL, &all.task));
    /* As tasks that may migrate, and as ones that may not. */
    for (uint32_t flags = 0; flags < 2; flags++) {
        corun_task_options options = CORUN_TASK_OPTIONS_INIT;
        corun_task *task;
        options.flags = flags;
        OK(corun_spawn(ask, &all, &options, &task));
        OK(corun_task_join(task, NULL));
    }
    OK(corun_task_release(all.task));
    OK(corun_wait_group_release(all.group));
    OK(corun_semaphore_release(all.semaphore));
    OK(corun_mutex_release(all.mutex));
    OK(corun_channel_release(all.channel));
    OK(corun_promise_release(all.promise));
    OK(corun_future_release(all.pending));
    OK(corun_future_release(all.complete));
}

TEST_MAIN(body)
