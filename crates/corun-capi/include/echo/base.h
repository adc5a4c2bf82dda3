/* What all headers of corun share: handles, status codes, errors, time.
 *
 * Rules that hold for every function, unless it says otherwise:
 *
 * - Handles (corun_task *, corun_channel *, ...) are numbers in the shape of pointers: never dereference one. NULL, a handle that was
 *   released, and one of another kind give CORUN_ERR_HANDLE, and touch no memory.
 * - A function that returns a handle through an out parameter gives the caller one reference, to be given up by the function that its
 *   comment names (mostly corun_X_release). Who is inside of a call keeps the object alive, whoever releases the handle meanwhile.
 * - Functions may be called from any thread: from coroutines, which they suspend where they wait, and from threads that corun has never
 *   seen, which they block. "Own thread" marks the few that are bound to the thread that made the object.
 * - Out parameters are written only on CORUN_OK, if nothing else is said. They may be NULL where the comment says so.
 * - Times are nanoseconds. A timeout below 0 is for ever (CORUN_FOREVER), 0 does not wait at all.
 * - A task that does nothing but call gives way when it has used up its time slice, also where no call of its has to wait: who asks again and again, whether
 *   something is there, does not keep others from bringing it.
 * - A coroutine that was cancelled is not unwound: every call in which it waits, or would begin to, returns CORUN_ERR_CANCELLED from then on.
 * - Callbacks and functions that are handed over must return normally: no longjmp out of them, and no C++ exception.
 * - A panic of corun's own becomes CORUN_ERR_PANIC. It never crosses into the caller's frames.
 */
#ifndef ECHO_BASE_H
#define ECHO_BASE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of these headers. The library has the same major number, and at least the same minor one. */
#define CORUN_VERSION_MAJOR 0
#define CORUN_VERSION_MINOR 1
#define CORUN_VERSION_PATCH 0

/* A result: CORUN_OK, or an error, which is negative. */
typedef int32_t corun_status;

enum {
    CORUN_OK = 0,
    CORUN_ERR_INVALID = -1,     /* an argument is out of range, or NULL where something is needed */
    CORUN_ERR_HANDLE = -2,      /* NULL, released, or the handle of something else */
    CORUN_ERR_CLOSED = -3,      /* the channel is closed, and has nothing left to receive */
    CORUN_ERR_WOULD_BLOCK = -4, /* it is not possible at once, and the caller did not want to wait */
    CORUN_ERR_TIMEDOUT = -5,    /* the time was up first */
    CORUN_ERR_CANCELLED = -6,   /* the caller, or what it waits for, was cancelled */
    CORUN_ERR_REJECTED = -7,    /* the future was rejected: corun_future_error */
    CORUN_ERR_ABANDONED = -8,   /* the promise was released without a result */
    CORUN_ERR_STATE = -9,       /* not in this state: started twice, resumed while active, result already taken, ... */
    CORUN_ERR_CONTEXT = -10,    /* not from here: outside of a coroutine, or on another thread than the object's own */
    CORUN_ERR_NOMEM = -11,      /* no memory, or no stack */
    CORUN_ERR_SYSTEM = -12,     /* a system call failed: corun_last_error_os */
    CORUN_ERR_PANIC = -13,      /* corun itself panicked; please report it */
    CORUN_ERR_FAILED = -14,     /* the task has failed: corun_task_fail */
    CORUN_ERR_DIRECTION = -15,  /* this end of the channel is for the other direction */
    CORUN_ERR_SHUTDOWN = -16,   /* the runtime is shutting down; or something was left when the time for it was up */
    CORUN_ERR_DEADLOCK = -17,   /* it would wait for itself */
    CORUN_ERR_UNSUPPORTED = -18 /* the library was built without it */
};

/* No limit to a wait. */
#define CORUN_FOREVER ((int64_t)-1)

/* Frees, or does whatever is due, when a value is no longer needed. May be called on any thread of corun's, and should not wait. */
typedef void (*corun_destructor)(void *value);
/* A function that runs as a coroutine, or inside of one. */
typedef void *(*corun_function)(void *argument);

/* The version of the library: major << 16 | minor << 8 | patch. */
uint32_t corun_version(void);
/* The name of a status, as in "CORUN_ERR_CLOSED"; "unknown" for any other number. Never NULL; static. */
const char *corun_status_name(corun_status status);
/* What was wrong in the last call of this coroutine (of this thread, outside of coroutines) that returned an error, in English. Never NULL.
 * CORUN_ERR_WOULD_BLOCK, TIMEDOUT and CLOSED are ordinary and leave it as it was. Valid until the next call here that fails, or the coroutine's
 * end. */
const char *corun_last_error_message(void);
/* The status that the message belongs to; CORUN_OK if nothing has failed yet. */
corun_status corun_last_error_status(void);
/* The errno of the last CORUN_ERR_SYSTEM here, or 0. */
int32_t corun_last_error_os(void);
/* Monotonic time in nanoseconds, of a zero of its own. */
int64_t corun_now(void);

#ifdef __cplusplus
}
#endif
#endif
