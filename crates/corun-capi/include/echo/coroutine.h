/* Coroutines without a scheduler: somebody resumes them, and they yield to whoever did. For generators, interpreters and schedulers of one's own.
 *
 * They are bound to the thread that made them ("own thread"): any other gets CORUN_ERR_CONTEXT. Within a task, set CORUN_TASK_PINNED, so
 * that it stays on that thread. Inside of them everything else of corun may be called; what waits suspends the whole task.
 */
#ifndef ECHO_COROUTINE_H
#define ECHO_COROUTINE_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct corun_coroutine corun_coroutine;

typedef int32_t corun_coroutine_state_t;
enum {
    CORUN_COROUTINE_INIT = 0,    /* never resumed */
    CORUN_COROUTINE_ACTIVE = 1,  /* it runs */
    CORUN_COROUTINE_PENDING = 2, /* it has yielded */
    CORUN_COROUTINE_STACKED = 3, /* it has resumed another one, and waits for that one to yield */
    CORUN_COROUTINE_DONE = 4     /* its function has returned */
};

/* Makes a coroutine on a stack of its own. `stack_size` is address space in bytes; 0: the default. The function begins at the first resume. Own thread from
 * here on. To be given up by corun_coroutine_destroy or corun_coroutine_join. */
corun_status corun_coroutine_create(corun_function function, void *argument, size_t stack_size, corun_coroutine **coroutine);

/* Runs it until it yields or ends. `out`, which may be NULL, gets what it yields or returns. `in` is what its corun_coroutine_yield returns; what
 * the first resume passes is lost, as the function has its argument. CORUN_ERR_STATE if it is done, active or stacked: nobody resumes himself. */
corun_status corun_coroutine_resume(corun_coroutine *coroutine, void *in, void **out);
/* Suspends the innermost coroutine that the caller runs in, and passes `out` to whoever resumed it. `in`, which may be NULL, gets what the next resume
 * passes. CORUN_ERR_CONTEXT outside of coroutines. CORUN_ERR_CANCELLED if it is being destroyed: clean up and return. */
corun_status corun_coroutine_yield(void *out, void **in);
/* Suspends the innermost coroutine, and continues `other` in its place: what that one yields goes to whoever resumed this one. Outside of coroutines
 * it is corun_coroutine_resume. */
corun_status corun_coroutine_switch(corun_coroutine *other, void *in, void **received);

/* Resumes it, with NULLs, until it is done, takes the result, and frees it. What it yields meanwhile is lost. On errors it stays. */
corun_status corun_coroutine_join(corun_coroutine *coroutine, void **result);
/* Frees it. If it is pending, its corun_coroutine_yield returns CORUN_ERR_CANCELLED first, and it has to return: if it yields again, this is
 * CORUN_ERR_STATE, and it stays. CORUN_ERR_STATE if it is active or stacked. */
corun_status corun_coroutine_destroy(corun_coroutine *coroutine);

corun_status corun_coroutine_state(corun_coroutine *coroutine, corun_coroutine_state_t *state);
/* 1 if its function has returned, else 0. */
corun_status corun_coroutine_is_complete(corun_coroutine *coroutine, int32_t *complete);
/* The innermost coroutine that the caller runs in; no new reference. CORUN_ERR_CONTEXT if there is none. */
corun_status corun_coroutine_running(corun_coroutine **coroutine);

/* ---- A set of coroutines that are known by numbers, in the manner of small coroutine libraries. Own thread. ---- */

typedef struct corun_schedule corun_schedule;
typedef void (*corun_schedule_function)(corun_schedule *schedule, void *argument);

corun_status corun_schedule_open(corun_schedule **schedule);
/* Frees the set, and destroys what is in it. CORUN_ERR_STATE if one of its coroutines runs, or does not return. */
corun_status corun_schedule_close(corun_schedule *schedule);
/* Makes a coroutine, and gives it the smallest number, from 0, that is free. */
corun_status corun_schedule_new(corun_schedule *schedule, corun_schedule_function function, void *argument, int32_t *id);
/* Runs it until it yields or ends. When it ends, its number is free again. */
corun_status corun_schedule_resume(corun_schedule *schedule, int32_t id);
/* From inside of one of its coroutines: back to whoever resumed it. */
corun_status corun_schedule_yield(corun_schedule *schedule);
/* CORUN_COROUTINE_DONE for a number that nobody has. */
corun_status corun_schedule_status(corun_schedule *schedule, int32_t id, corun_coroutine_state_t *state);
/* The number of the one that runs, or -1. */
corun_status corun_schedule_running(corun_schedule *schedule, int32_t *id);

#ifdef __cplusplus
}
#endif
#endif
