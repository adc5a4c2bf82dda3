/* Descriptors, signals and timers with callbacks; and a loop that a host drives. */
#ifndef ECHO_EVENT_LOOP_H
#define ECHO_EVENT_LOOP_H

#include "base.h"
#include "runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- A runtime on the calling thread, for programs that have a main loop of their own. Own thread. ---- */

/* Its tasks run while the thread calls poll, run_until_idle or run, and at no other time. */
typedef struct corun_event_loop corun_event_loop;

corun_status corun_event_loop_create(corun_event_loop **loop);
/* Runs what is ready now, once round, without waiting. `more`, which may be NULL, tells whether more is ready already. */
corun_status corun_event_loop_poll(corun_event_loop *loop, int32_t *more);
/* Runs until nothing is ready, without waiting for timers or descriptors. */
corun_status corun_event_loop_run_until_idle(corun_event_loop *loop);
/* Runs `function` as a task, and all others beside it, until it has returned; waits where there is nothing to do. As corun_runtime_run. */
corun_status corun_event_loop_run(corun_event_loop *loop, corun_function function, void *argument, void **result);
/* A descriptor that is readable when poll would have something to do. It stays the loop's: do not close it. */
corun_status corun_event_loop_descriptor(corun_event_loop *loop, int32_t *descriptor);
/* After how many nanoseconds poll is to be called, if the descriptor is not readable before: 0 at once, CORUN_FOREVER never. The
 * descriptor tells of timers as well; this is for hosts that sleep without it. */
corun_status corun_event_loop_next_timeout(corun_event_loop *loop, int64_t *timeout);
/* The loop as a runtime, to spawn on it from any thread; to be released with corun_runtime_release. */
corun_status corun_event_loop_runtime(corun_event_loop *loop, corun_runtime **runtime);
/* Ends the loop: cancels what is left of its tasks, and runs them until they have ended. CORUN_ERR_STATE if some wait on all the same, after
 * `timeout`: then they stay suspended for ever. From inside of a task of the loop's: CORUN_ERR_CONTEXT, and nothing happens. */
corun_status corun_event_loop_release(corun_event_loop *loop, int64_t timeout);

/* ---- Events ---- */

/* Something that calls back when it happens, until it is deregistered. */
typedef struct corun_event corun_event;

enum {
    CORUN_EVENT_READ = 1,
    CORUN_EVENT_WRITE = 2,
    CORUN_EVENT_ERROR = 4,   /* an error, or the other side is gone: has sent and received its last (POLLERR, POLLHUP); alone or beside the others */
    CORUN_EVENT_TIMER = 8,
    CORUN_EVENT_SIGNAL = 16,
    CORUN_EVENT_ONCE = 256   /* in a request: call back once, and then no more */
};

/* What to call back for. Begin with CORUN_EVENT_REQUEST_INIT, or all zero but `size`. One of the three kinds at a time: a descriptor with any of
 * READ, WRITE and ERROR; TIMER; SIGNAL. ERROR alone tells of nothing else, however much there is to read; it is for descriptors that the system can
 * wait for, and so not for files. */
typedef struct corun_event_request {
    uint32_t size;            /* sizeof(corun_event_request) */
    uint32_t events;          /* CORUN_EVENT_READ, ... */
    int32_t descriptor;       /* READ, WRITE, ERROR: must stay open until corun_event_deregister has returned; stays the caller's */
    int32_t signal;           /* SIGNAL: its number */
    int64_t delay;            /* TIMER: until the first time */
    int64_t period;           /* TIMER: between the following ones; 0: there are none */
    corun_runtime *runtime;   /* on whose workers the callback runs; NULL: the caller's. Of a loop: corun_event_loop_runtime */
} corun_event_request;

#define CORUN_EVENT_REQUEST_INIT {(uint32_t)sizeof(corun_event_request), 0, -1, 0, 0, 0, NULL}

/* Runs in a task of the event's own (CORUN_TASK_PINNED, the same one each time: corun_task_current), and so may wait; it is not called again before it has returned. READ, WRITE and ERROR are called for as long as
 * they hold, and so the callback should read or write, or deregister: the last for ERROR, which never ends by itself. */
typedef void (*corun_event_callback)(corun_event *event, uint32_t events, void *data);

corun_status corun_event_register(const corun_event_request *request, corun_event_callback callback, void *data, corun_event **event);
/* Ends it and releases the handle. When this returns the callback does not run, and never will again; what a callback waits in is cut short. From inside
 * of the callback itself it returns at once, and the callback is not called again. Of an event of a loop, outside of that loop's tasks: it
 * returns at once, a callback that waits goes on when the loop is next driven, and only after that may the descriptor be closed. */
corun_status corun_event_deregister(corun_event *event);

/* Waits, without a registration, until the descriptor is ready for any of `events` (READ, WRITE, ERROR), and tells for which. `ready` may be NULL.
 * CORUN_ERR_TIMEDOUT, CORUN_ERR_CANCELLED. */
corun_status corun_wait_descriptor(int32_t descriptor, uint32_t events, int64_t timeout, uint32_t *ready);

#ifdef __cplusplus
}
#endif
#endif
