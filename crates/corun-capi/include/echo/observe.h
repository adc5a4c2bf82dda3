/* Being told each step that the runtime takes. */
#ifndef ECHO_OBSERVE_H
#define ECHO_OBSERVE_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What kind of step. The subject of a step is a number: of a task as from corun_task_id (tasks of Rust code have numbers, too), of a future as from
 * corun_future_id, of a channel as from corun_channel_id; the numbers of futures and channels may be used again when these are gone. */
typedef int32_t corun_step_kind_t;
enum {
    CORUN_STEP_TASK_CREATED = 0,     /* of a task, before it stands in line */
    CORUN_STEP_TASK_WOKEN = 1,       /* of a task that had waited, and stands in line again */
    CORUN_STEP_TASK_ENDED = 2,       /* of a task whose end nobody has seen yet; detail: CORUN_TASK_COMPLETED when its function has returned, or CORUN_TASK_FAILED
                                      * or CORUN_TASK_CANCELLED if it never began. What it said by corun_task_fail, its future tells */
    CORUN_STEP_SUSPENDED = 3,        /* of a task that waits, or gives way */
    CORUN_STEP_RESUMED = 4,          /* of a task that begins, or goes on */
    CORUN_STEP_FUTURE_PENDING = 5,   /* of a future that somebody begins to wait for */
    CORUN_STEP_FUTURE_RESOLVED = 6,
    CORUN_STEP_FUTURE_REJECTED = 7,  /* or abandoned, or cancelled */
    CORUN_STEP_TIMER_ARMED = 8,      /* of no one; the subject is when a wait will end at the latest, as corun_now tells it */
    CORUN_STEP_TIMERS_FIRED = 9,     /* of so many timers */
    CORUN_STEP_IO_REGISTERED = 10,   /* of a descriptor that the system watches from now on */
    CORUN_STEP_IO_OCCURRED = 11,     /* of a descriptor that is ready; detail: CORUN_EVENT_READ, CORUN_EVENT_WRITE, or both */
    CORUN_STEP_MESSAGE_SENT = 12,    /* of a channel */
    CORUN_STEP_MESSAGE_RECEIVED = 13
};

typedef struct corun_step {
    uint32_t size;          /* sizeof(corun_step), as the library has it */
    corun_step_kind_t kind; /* there may be others in the future: ignore them */
    uint64_t subject;
    uint64_t detail;        /* 0 where nothing else is said */
} corun_step;

/* Is told what happens, wherever it happens: on any thread, on the stack of the task whose step it is, in the middle of the runtime's work. So it should
 * count, or note what it was told, and no more; the step is gone when it returns. What it does itself with corun is not told to it, and a call in it that would have
 * to wait returns CORUN_ERR_PANIC. */
typedef void (*corun_observer)(void *data, const corun_step *step);

/* Has `observer` told from now on, in the whole process and in place of the one before; nobody, if it is NULL. Threads that are about to tell the one before
 * may still do so: it and its data must stay for as long as the process. Each call takes some bytes that are not given back.
 * CORUN_ERR_UNSUPPORTED if the library was built without the feature `events`. */
corun_status corun_observe(corun_observer observer, void *data);

#ifdef __cplusplus
}
#endif
#endif
