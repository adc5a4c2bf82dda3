/* Tasks: coroutines that the workers run. What Go has as goroutines. */
#ifndef ECHO_TASK_H
#define ECHO_TASK_H

#include "base.h"
#include "future.h"
#include "runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A coroutine under a scheduler. */
typedef struct corun_task corun_task;

/* Where a task is in its life. */
typedef int32_t corun_task_state_t;
enum {
    CORUN_TASK_CREATED = 0,   /* by corun_task_create, and not started */
    CORUN_TASK_READY = 1,     /* waits for its turn */
    CORUN_TASK_RUNNING = 2,
    CORUN_TASK_WAITING = 3,   /* for something else */
    CORUN_TASK_COMPLETED = 4, /* its function has returned */
    CORUN_TASK_FAILED = 5,    /* its function has returned after corun_task_fail; or it got no stack */
    CORUN_TASK_CANCELLED = 6  /* it was cancelled before it began; or its function has returned after a call that returned CORUN_ERR_CANCELLED */
};

/* Flags of a task. */
enum {
    /* The task stays on the thread that first runs it. Without the flag it may go on on another worker after each call in which it
     * waits; its code must keep nothing that belongs to a thread (errno, thread-local addresses, locks of the thread) across those. */
    CORUN_TASK_PINNED = 1,
    /* The control words of the floating point unit (MXCSR, x87; FPCR) are the task's own: saved where it waits, and restored. Without
     * the flag, a task that changes them must restore them before it waits. */
    CORUN_TASK_SAVE_FP = 2,
    /* The C++ exceptions that are being handled are the task's own: it may wait inside of a catch block. Implies CORUN_TASK_PINNED. */
    CORUN_TASK_SAVE_CXX = 4
};

/* Begin with CORUN_TASK_OPTIONS_INIT, or all zero but `size`. */
typedef struct corun_task_options {
    uint32_t size;                      /* sizeof(corun_task_options) */
    uint32_t flags;                     /* CORUN_TASK_PINNED, ... */
    uint64_t stack_size;                /* address space in bytes, of which only what is touched takes memory; 0: the runtime's default */
    const char *name;                   /* UTF-8, copied; for messages and reports. NULL: none */
    corun_runtime *runtime;             /* NULL: the caller's */
    corun_destructor argument_destructor; /* called with the argument if the function is never called; else that is the function's affair */
    corun_destructor result_destructor; /* called with a result that nobody takes */
} corun_task_options;

#define CORUN_TASK_OPTIONS_INIT {(uint32_t)sizeof(corun_task_options), 0, 0, NULL, NULL, NULL, NULL}

/* Starts `function(argument)` as a task. `options` may be NULL. `task` may be NULL: then nobody can join it, and its result goes to the
 * destructor. The argument's destructor is called on errors as well.
 * To be given up by corun_task_join or corun_task_release. */
corun_status corun_spawn(corun_function function, void *argument, const corun_task_options *options, corun_task **task);

/* The same, with the result in a future: what an async function is. Rejected with the code and message of corun_task_fail; cancelled with the
 * task. The value's destructor is `options->result_destructor`. */
corun_status corun_spawn_async(corun_function function, void *argument, const corun_task_options *options, corun_future **future);

/* Makes a task that does not run before corun_task_start. If it is released before, the argument's destructor is called. */
corun_status corun_task_create(corun_function function, void *argument, const corun_task_options *options, corun_task **task);

/* Starts a task, once. CORUN_ERR_STATE if it was started, or cancelled before. */
corun_status corun_task_start(corun_task *task);

/* Waits for the task's end, and takes its result. Releases the handle, unless it returns CORUN_ERR_TIMEDOUT, CORUN_ERR_HANDLE,
 * CORUN_ERR_DEADLOCK (a task joins itself), CORUN_ERR_STATE (it was never started, or somebody else took the result), or CORUN_ERR_CANCELLED
 * because the caller was cancelled.
 * CORUN_ERR_FAILED and CORUN_ERR_CANCELLED tell how the task ended; the handle is gone, and `result`, which may be NULL, is written then, too (to
 * NULL if the function never ran). Which of the two cancellations it was says corun_check_cancelled; the message tells, too. */
corun_status corun_task_join(corun_task *task, void **result);
corun_status corun_task_join_timeout(corun_task *task, int64_t timeout, void **result);

/* Another reference to the same task, to be released as well. */
corun_status corun_task_retain(corun_task *task);
/* Gives up a reference. With the last one the task is detached: it goes on by itself. */
corun_status corun_task_release(corun_task *task);

/* Cancels the task: what it waits in returns CORUN_ERR_CANCELLED, and so does every wait that follows. If it has not begun, it never does.
 * Returns at once. */
corun_status corun_task_cancel(corun_task *task);

corun_status corun_task_state(corun_task *task, corun_task_state_t *state);
/* The number of the task, unique in the process; 0 before it was started. */
corun_status corun_task_id(corun_task *task, uint64_t *id);
/* The future of its result, to be released with corun_future_release. The result then belongs to both: see corun_future_take. */
corun_status corun_task_future(corun_task *task, corun_future **future);
/* The code and message that corun_task_fail was given. `message` may be NULL; it is valid until the task is released.
 * CORUN_ERR_STATE if it has not failed. */
corun_status corun_task_error(corun_task *task, int32_t *code, const char **message);

/* ---- For the task that runs. Outside of tasks: CORUN_ERR_CONTEXT. ---- */

/* The calling task, as a reference of the caller's own. */
corun_status corun_task_current(corun_task **task);
/* Notes that the task has failed, with a code and a message of the caller's, which is copied and may be NULL. It ends when its function returns, as
 * ever: a panic of the language is this, and then a return through its own frames. The last call counts. */
corun_status corun_task_fail(int32_t code, const char *message);

/* ---- Waiting ---- */

/* Waits. CORUN_OK, or CORUN_ERR_CANCELLED. */
corun_status corun_sleep(int64_t duration);
/* Waits until somebody unparks the task, or returns at once if that has happened already; or for some other reason, now and then.
 * CORUN_ERR_TIMEDOUT when the time is up. */
corun_status corun_park(void);
corun_status corun_park_timeout(int64_t timeout);
/* Wakes a parked task, or keeps the next park from waiting. */
corun_status corun_task_unpark(corun_task *task);

/* ---- Cancellation ---- */

/* CORUN_ERR_CANCELLED if the caller was cancelled, or the time of a corun_timeout around it is up; else CORUN_OK. */
corun_status corun_check_cancelled(void);
/* Calls `function` here and now, protected from cancellation from outside: for cleaning up that has to wait. `result` may be NULL. */
corun_status corun_shield(corun_function function, void *argument, void **result);
/* Calls `function` here and now, and cancels it when `timeout` is over: its waits return CORUN_ERR_CANCELLED then, and it has to return.
 * CORUN_ERR_TIMEDOUT if the time was up before it returned; `result`, which may be NULL, is written then, too. */
corun_status corun_timeout(int64_t timeout, corun_function function, void *argument, void **result);

/* ---- Storage of a task's own ---- */

/* Names a value that each task has of its own (each thread, outside of tasks). */
typedef struct corun_key corun_key;

/* The destructor, which may be NULL, is called with each value that is not NULL when its task ends, in the task itself. Up to 65,536 keys; they
 * live as long as the process. */
corun_status corun_key_create(corun_destructor destructor, corun_key **key);
/* The old value is the caller's affair. */
corun_status corun_key_set(corun_key *key, void *value);
/* NULL if nothing was set, or the handle is none. */
void *corun_key_get(corun_key *key);

#ifdef __cplusplus
}
#endif
#endif
