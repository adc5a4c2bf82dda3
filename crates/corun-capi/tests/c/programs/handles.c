/* Handles that are none: NULL, released, of something else, and numbers that never were one. Every function that takes one is called with each. */
#include "expect.h"

static void *identity(void *argument) { return argument; }
static void callback(void *data, corun_status status, void *value, int32_t code) { (void)data, (void)status, (void)value, (void)code; }
static void then(void *data, corun_status status, void *value, int32_t code, corun_promise *promise) {
    (void)data, (void)status, (void)value, (void)code, (void)promise;
}
static void routine(corun_schedule *schedule, void *argument) { (void)schedule, (void)argument; }

static void nothing(corun_event *event, uint32_t happened, void *data) { (void)event, (void)happened, (void)data; }

/* Room for whatever they would write, and something to read. */
static union {
    void *pointer;
    uint64_t number;
    int32_t word;
    char bytes[64];
} room;

#define P ((void *)&room)
#define BAD(call) STATUS(CORUN_ERR_HANDLE, call)

static void tasks(void *h) {
    BAD(corun_task_start(h));
    BAD(corun_task_join(h, P));
    BAD(corun_task_join_timeout(h, 0, P));
    BAD(corun_task_retain(h));
    BAD(corun_task_release(h));
    BAD(corun_task_cancel(h));
    BAD(corun_task_state(h, P));
    BAD(corun_task_id(h, P));
    BAD(corun_task_future(h, P));
    BAD(corun_task_error(h, P, P));
    BAD(corun_task_unpark(h));
}

static void futures(void *h) {
    BAD(corun_future_await(h, P));
    BAD(corun_future_await_timeout(h, 0, P));
    BAD(corun_future_poll(h, P));
    BAD(corun_future_take(h, P));
    BAD(corun_future_state(h, P));
    BAD(corun_future_error(h, P, P));
    BAD(corun_future_cancel(h));
    BAD(corun_future_on_complete(h, callback, NULL));
    BAD(corun_future_then(h, then, NULL, NULL, P));
    BAD(corun_future_join((corun_future *[]){h}, 1, P));
    BAD(corun_future_race((corun_future *[]){h}, 1, P));
    size_t chosen = 7;
    corun_future *one[2] = {NULL, h};
    if (h) {
        BAD(corun_future_select(one, 2, 0, &chosen));
        EXPECT(chosen == 1);
    }
    BAD(corun_future_id(h, P));
    BAD(corun_future_retain(h));
    BAD(corun_future_release(h));
}

static void promises(void *h) {
    BAD(corun_promise_resolve(h, NULL));
    BAD(corun_promise_reject(h, 0, NULL));
    BAD(corun_promise_release(h));
    BAD(corun_promise_is_wanted(h, P));
}

static void channels(void *h) {
    BAD(corun_channel_sender(h, P));
    BAD(corun_channel_receiver(h, P));
    BAD(corun_channel_send(h, P));
    BAD(corun_channel_send_timeout(h, P, 0));
    BAD(corun_channel_try_send(h, P));
    BAD(corun_channel_receive(h, P));
    BAD(corun_channel_receive_timeout(h, P, 0));
    BAD(corun_channel_try_receive(h, P));
    BAD(corun_channel_send_u64(h, 0));
    BAD(corun_channel_receive_u64(h, P));
    BAD(corun_channel_close(h));
    BAD(corun_channel_is_closed(h, P));
    BAD(corun_channel_length(h, P));
    BAD(corun_channel_capacity(h, P));
    BAD(corun_channel_element_size(h, P));
    BAD(corun_channel_id(h, P));
    BAD(corun_channel_retain(h));
    BAD(corun_channel_release(h));
    if (h) {
        corun_select_case one = {h, P, CORUN_SELECT_RECEIVE, 0};
        BAD(corun_select(&one, 1, 0, P));
    }
}

static void locks(void *h) {
    BAD(corun_mutex_lock(h));
    BAD(corun_mutex_lock_timeout(h, 0));
    BAD(corun_mutex_try_lock(h));
    BAD(corun_mutex_unlock(h));
    BAD(corun_mutex_release(h));
}

static void semaphores(void *h) {
    BAD(corun_semaphore_acquire(h));
    BAD(corun_semaphore_acquire_timeout(h, 0));
    BAD(corun_semaphore_try_acquire(h));
    BAD(corun_semaphore_post(h, 1));
    BAD(corun_semaphore_release(h));
}

static void groups(void *h) {
    BAD(corun_wait_group_add(h, 1));
    BAD(corun_wait_group_done(h));
    BAD(corun_wait_group_wait(h));
    BAD(corun_wait_group_wait_timeout(h, 0));
    BAD(corun_wait_group_release(h));
}

static void coroutines(void *h) {
    BAD(corun_coroutine_resume(h, NULL, P));
    BAD(corun_coroutine_switch(h, NULL, P));
    BAD(corun_coroutine_join(h, P));
    BAD(corun_coroutine_destroy(h));
    BAD(corun_coroutine_state(h, P));
    BAD(corun_coroutine_is_complete(h, P));
}

static void schedules(void *h) {
    BAD(corun_schedule_close(h));
    BAD(corun_schedule_new(h, routine, NULL, P));
    BAD(corun_schedule_resume(h, 0));
    BAD(corun_schedule_yield(h));
    BAD(corun_schedule_status(h, 0, P));
    BAD(corun_schedule_running(h, P));
}

static void loops(void *h) {
    BAD(corun_event_loop_poll(h, P));
    BAD(corun_event_loop_run_until_idle(h));
    BAD(corun_event_loop_run(h, identity, NULL, P));
    BAD(corun_event_loop_descriptor(h, P));
    BAD(corun_event_loop_next_timeout(h, P));
    BAD(corun_event_loop_runtime(h, P));
    BAD(corun_event_loop_release(h, 0));
}

static void events(void *h) { BAD(corun_event_deregister(h)); }

static void keys(void *h) {
    BAD(corun_key_set(h, NULL));
    EXPECT(corun_key_get(h) == NULL);
}

static void runtimes(void *h) {
    BAD(corun_runtime_shutdown(h, 0));
    BAD(corun_runtime_release(h));
    if (h) { /* NULL is the default one */
        BAD(corun_runtime_run(h, identity, NULL, P));
        BAD(corun_runtime_workers(h, P));
        corun_task_options options = CORUN_TASK_OPTIONS_INIT;
        options.runtime = h;
        BAD(corun_spawn(identity, NULL, &options, NULL));
        corun_event_request request = CORUN_EVENT_REQUEST_INIT;
        request.events = CORUN_EVENT_TIMER;
        request.runtime = h;
        BAD(corun_event_register(&request, nothing, NULL, P));
    }
}

typedef void (*kind)(void *handle);
static const kind kinds[] = {tasks, futures, promises, channels, locks, semaphores, groups, coroutines, schedules, loops, events, keys, runtimes};
enum { KINDS = sizeof kinds / sizeof *kinds };

static void make(void *handles[KINDS]) {
    corun_event_request request = CORUN_EVENT_REQUEST_INIT;
    request.events = CORUN_EVENT_TIMER;
    request.delay = MS(1000000);
    OK(corun_spawn(identity, NULL, NULL, (corun_task **)&handles[0]));
    OK(corun_promise_create(NULL, (corun_promise **)&handles[2], (corun_future **)&handles[1]));
    OK(corun_channel_create(8, 1, NULL, (corun_channel **)&handles[3]));
    OK(corun_mutex_create((corun_mutex **)&handles[4]));
    OK(corun_semaphore_create(1, (corun_semaphore **)&handles[5]));
    OK(corun_wait_group_create((corun_wait_group **)&handles[6]));
    OK(corun_coroutine_create(identity, NULL, 0, (corun_coroutine **)&handles[7]));
    OK(corun_schedule_open((corun_schedule **)&handles[8]));
    OK(corun_event_loop_create((corun_event_loop **)&handles[9]));
    OK(corun_event_register(&request, nothing, NULL, (corun_event **)&handles[10]));
    OK(corun_key_create(NULL, (corun_key **)&handles[11]));
    OK(corun_runtime_create(NULL, (corun_runtime **)&handles[12]));
}

static void release(void *handles[KINDS]) {
    OK(corun_task_join(handles[0], NULL));
    OK(corun_future_release(handles[1]));
    OK(corun_promise_release(handles[2]));
    OK(corun_channel_release(handles[3]));
    OK(corun_mutex_release(handles[4]));
    OK(corun_semaphore_release(handles[5]));
    OK(corun_wait_group_release(handles[6]));
    OK(corun_coroutine_destroy(handles[7]));
    OK(corun_schedule_close(handles[8]));
    OK(corun_event_loop_release(handles[9], 0));
    OK(corun_event_deregister(handles[10]));
    OK(corun_runtime_release(handles[12]));
}

int main(void) {
    void *handles[KINDS];
    make(handles);
    int on_the_stack = 0;
    uint64_t number = (uint64_t)(uintptr_t)handles[3];
    for (int k = 0; k < KINDS; k++) {
        kinds[k](NULL);
        kinds[k](&on_the_stack);
        kinds[k]((void *)1);
        kinds[k]((void *)UINTPTR_MAX);
        /* A channel that never was, and slots beyond all that there are. */
        kinds[k]((void *)(uintptr_t)(number ^ (uint64_t)5 << 32));
        kinds[k]((void *)(uintptr_t)(number | 0xffffffff));
        kinds[k]((void *)(uintptr_t)(number ^ (uint64_t)1 << 53));
        /* All of the others. */
        for (int other = 0; other < KINDS; other++)
            if (other != k) kinds[k](handles[other]);
    }
    release(handles);
    void *again[KINDS];
    for (int round = 0; round < 3; round++) {
        /* Their places are used again, by others of the same kinds. */
        make(again);
        for (int k = 0; k < KINDS; k++)
            if (kinds[k] != keys) kinds[k](handles[k]);
        release(again);
    }
    STATUS(CORUN_ERR_HANDLE, corun_task_join(handles[3], NULL));
    EXPECT(strstr(corun_last_error_message(), "something else"));
    puts("ok");
    return 0;
}
