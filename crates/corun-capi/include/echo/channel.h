/* Channels of elements of a fixed size, and select over any number of them. */
#ifndef ECHO_CHANNEL_H
#define ECHO_CHANNEL_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A queue between tasks and threads, any number at either end. */
typedef struct corun_channel corun_channel;

/* A capacity without limit. */
#define CORUN_UNBOUNDED ((size_t)-1)

/* Makes a channel. Elements are copied, byte by byte; up to 64 KiB each, 0 is allowed. A capacity of 0 makes a rendezvous: a sender waits until its
 * element was received. `destructor`, which may be NULL, is called with a pointer to each element that nobody received, when the channel goes.
 * To be given up by corun_channel_release. */
corun_status corun_channel_create(size_t element_size, size_t capacity, corun_destructor destructor, corun_channel **channel);

/* A handle to the same channel by which one can only send, or only receive; to be released as well. Any other use of it is CORUN_ERR_DIRECTION. When all
 * handles that can send are released, receivers get what is left and then CORUN_ERR_CLOSED; when all that can receive are, senders get
 * CORUN_ERR_CLOSED. */
corun_status corun_channel_sender(corun_channel *channel, corun_channel **sender);
corun_status corun_channel_receiver(corun_channel *channel, corun_channel **receiver);

/* Waits for room and sends `*element`. CORUN_ERR_CLOSED, CORUN_ERR_CANCELLED, CORUN_ERR_TIMEDOUT: nothing was sent. */
corun_status corun_channel_send(corun_channel *channel, const void *element);
corun_status corun_channel_send_timeout(corun_channel *channel, const void *element, int64_t timeout);
/* Sends if that is possible at once: CORUN_ERR_WOULD_BLOCK if not. */
corun_status corun_channel_try_send(corun_channel *channel, const void *element);

/* Waits for an element and copies it to `*element`. What was sent before a close is received before CORUN_ERR_CLOSED is. */
corun_status corun_channel_receive(corun_channel *channel, void *element);
corun_status corun_channel_receive_timeout(corun_channel *channel, void *element, int64_t timeout);
corun_status corun_channel_try_receive(corun_channel *channel, void *element);

/* The same by value, for channels whose elements have 8 bytes: integers, pointers. CORUN_ERR_INVALID for other sizes. */
corun_status corun_channel_send_u64(corun_channel *channel, uint64_t element);
corun_status corun_channel_receive_u64(corun_channel *channel, uint64_t *element);

/* Closes the channel: senders get CORUN_ERR_CLOSED from now on, also those that wait, receivers when nothing is left. CORUN_ERR_CLOSED if it was closed
 * before. */
corun_status corun_channel_close(corun_channel *channel);
/* 1 if nothing can be sent any more, else 0. */
corun_status corun_channel_is_closed(corun_channel *channel, int32_t *closed);
/* How many elements it holds, at this moment. Empty: 0; full: the capacity. */
corun_status corun_channel_length(corun_channel *channel, size_t *length);
/* As it was created. */
corun_status corun_channel_capacity(corun_channel *channel, size_t *capacity);
corun_status corun_channel_element_size(corun_channel *channel, size_t *size);

/* The number of the channel, which no other has at the same time: what observers are told (observe.h). 0 for those that follow. */
corun_status corun_channel_id(corun_channel *channel, uint64_t *id);

/* Channels of elements of 8 bytes to receive from: the time (corun_now) of a moment, once, or of every `period`. Ticks that nobody receives in time
 * are dropped. */
corun_status corun_channel_after(int64_t delay, corun_channel **channel);
corun_status corun_channel_tick(int64_t period, corun_channel **channel);

/* Another reference to the same handle. */
corun_status corun_channel_retain(corun_channel *channel);
/* Gives up a reference. Whoever still waits in the channel when no handle for the other direction is left gets CORUN_ERR_CLOSED. */
corun_status corun_channel_release(corun_channel *channel);

/* ---- Select ---- */

enum {
    CORUN_SELECT_RECEIVE = 0,
    CORUN_SELECT_SEND = 1
};

/* One arm. */
typedef struct corun_select_case {
    corun_channel *channel; /* NULL: an arm that is never ready */
    void *element;          /* to send, or where to put what is received */
    int32_t operation;      /* CORUN_SELECT_RECEIVE or CORUN_SELECT_SEND */
    corun_status status;    /* out, for the arm that was chosen: CORUN_OK, or CORUN_ERR_CLOSED */
} corun_select_case;

/* Waits until one of the arms is possible, does it, and tells which. Of several that are, one is chosen at random. An arm whose channel is closed counts
 * as possible. With a `timeout` of 0 this is select with default: CORUN_ERR_WOULD_BLOCK if none is possible. CORUN_ERR_TIMEDOUT and
 * CORUN_ERR_CANCELLED: nothing was done. With no arm but NULLs it waits for the timeout. Other errors are of an arm whose index is written. */
corun_status corun_select(corun_select_case *cases, size_t count, int64_t timeout, size_t *chosen);

#ifdef __cplusplus
}
#endif
#endif
