/* Promises and futures: values that are not there yet. */
#ifndef ECHO_FUTURE_H
#define ECHO_FUTURE_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The end to wait at. Any number may wait. */
typedef struct corun_future corun_future;
/* The end to write at, once. */
typedef struct corun_promise corun_promise;

typedef int32_t corun_future_state_t;
enum {
    CORUN_FUTURE_PENDING = 0,
    CORUN_FUTURE_RESOLVED = 1,
    CORUN_FUTURE_REJECTED = 2,  /* or abandoned */
    CORUN_FUTURE_CANCELLED = 3
};

/* Makes the two ends. `destructor`, which may be NULL, is called with the value when nobody can want it any more, unless it was taken. */
corun_status corun_promise_create(corun_destructor destructor, corun_promise **promise, corun_future **future);

/* Give the future its result, wake all who wait, and call the callbacks. The promise is used up; if the future was cancelled meanwhile, the
 * value goes to the destructor. `message` is copied and may be NULL. */
corun_status corun_promise_resolve(corun_promise *promise, void *value);
corun_status corun_promise_reject(corun_promise *promise, int32_t code, const char *message);
/* Gives up the promise: whoever waits gets CORUN_ERR_ABANDONED. */
corun_status corun_promise_release(corun_promise *promise);
/* 1 if anybody may want the value, else 0: then work for it may as well stop. */
corun_status corun_promise_is_wanted(corun_promise *promise, int32_t *wanted);

/* Waits for the result. The value stays the future's: it lives as long as that. `value` may be NULL.
 * CORUN_ERR_REJECTED, CORUN_ERR_ABANDONED; CORUN_ERR_CANCELLED if the future or the caller was cancelled; CORUN_ERR_TIMEDOUT;
 * CORUN_ERR_STATE if the value was taken. */
corun_status corun_future_await(corun_future *future, void **value);
corun_status corun_future_await_timeout(corun_future *future, int64_t timeout, void **value);
/* The same without waiting: CORUN_ERR_WOULD_BLOCK while it is pending. */
corun_status corun_future_poll(corun_future *future, void **value);
/* As corun_future_await, and makes the value the caller's own: the destructor will not be called. Once. */
corun_status corun_future_take(corun_future *future, void **value);

corun_status corun_future_state(corun_future *future, corun_future_state_t *state);
/* The code and message of a rejection; both may be NULL. The message is valid until the future is released. CORUN_ERR_STATE if it was not
 * rejected. */
corun_status corun_future_error(corun_future *future, int32_t *code, const char **message);

/* Cancels the future: whoever waits gets CORUN_ERR_CANCELLED, now and for ever. If it is of a task (corun_spawn_async, corun_task_future), the task is
 * cancelled, and has the last word. Nothing happens if it is complete. */
corun_status corun_future_cancel(corun_future *future);

/* What is called when a future is complete: `status` and `value` are as from corun_future_poll. `code` is that of a rejection, else 0.
 * Called once, by whoever completes the future, on its thread, or at once if it is complete. It keeps that one from its own business, and so should not
 * wait: have a task do that. (Where a timer completes the future, a call that would have to wait returns CORUN_ERR_PANIC.)
 * Callbacks are called in the order in which they were left, and never one inside the other. */
typedef void (*corun_future_callback)(void *data, corun_status status, void *value, int32_t code);
corun_status corun_future_on_complete(corun_future *future, corun_future_callback callback, void *data);

/* Goes on from a future: `function` gets its outcome as a callback does, and a promise that it has to keep, now or later, from anywhere.
 * `next` is the future of that promise. */
typedef void (*corun_future_then_function)(void *data, corun_status status, void *value, int32_t code, corun_promise *promise);
corun_status corun_future_then(corun_future *future, corun_future_then_function function, void *data, corun_destructor destructor, corun_future **next);

/* A future that is resolved, with NULL, when all are; or rejected as the first that is not. The handles stay the caller's. */
corun_status corun_future_join(corun_future *const *futures, size_t count, corun_future **all);
/* A future that is resolved with the index (as a uintptr_t) of whichever is complete first, in whatever way. `count` is at least 1. */
corun_status corun_future_race(corun_future *const *futures, size_t count, corun_future **first);
/* Waits until one of the futures is complete, in whatever way, and tells which; of several, the first in the list. What has come of it, ask corun_future_poll.
 * NULLs among them are never complete, so that one may strike off those that he has had. It leaves nothing behind in the others, as corun_future_race does until
 * they are complete. With a `timeout` of 0: CORUN_ERR_WOULD_BLOCK if none is complete. CORUN_ERR_TIMEDOUT; CORUN_ERR_CANCELLED if the caller was cancelled
 * (a future that was is complete). With nothing but NULLs it waits for the timeout. Other errors are of a handle whose index is written. */
corun_status corun_future_select(corun_future *const *futures, size_t count, int64_t timeout, size_t *chosen);
/* A future that is resolved, with NULL, after so many nanoseconds. */
corun_status corun_future_timer(int64_t delay, corun_future **future);

/* The number of the future, which no other has at the same time: what observers are told (observe.h). */
corun_status corun_future_id(corun_future *future, uint64_t *id);

/* Another reference to the same future. */
corun_status corun_future_retain(corun_future *future);
/* Gives up a reference. With the last one, and no callback left behind, nobody wants the value any more. */
corun_status corun_future_release(corun_future *future);

#ifdef __cplusplus
}
#endif
#endif
