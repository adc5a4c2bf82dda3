/* Channels of elements of all sizes, their ends, and their closing. */
#include "expect.h"

static int frees;

static void count_free(void *element) {
    frees++;
    EXPECT(*(uint64_t *)element >= 100);
}

struct shuttle {
    corun_channel *channel;
    size_t size;
};

static void fill(unsigned char *bytes, size_t size, int n) {
    for (size_t i = 0; i < size; i++) bytes[i] = (unsigned char)(i * 7 + (size_t)n * 13 + 1);
}

static void *send_all(void *argument) {
    struct shuttle *shuttle = argument;
    unsigned char *bytes = malloc(shuttle->size + 1);
    for (int n = 0; n < 50; n++) {
        fill(bytes, shuttle->size, n);
        OK(corun_channel_send(shuttle->channel, bytes));
    }
    free(bytes);
    return NULL;
}

static void *receive_one(void *argument) {
    uint64_t number;
    return (void *)(intptr_t)corun_channel_receive_u64(argument, &number);
}

static void *send_one(void *argument) { return (void *)(intptr_t)corun_channel_send_u64(argument, 5); }

static corun_status status_of(corun_task *task) {
    void *result;
    OK(corun_task_join(task, &result));
    return (corun_status)(intptr_t)result;
}

static void sizes(void) {
    static const size_t sizes[] = {0, 1, 2, 7, 8, 9, 12, 16, 17, 24, 31, 32, 33, 64, 1000, 65536};
    static const size_t capacities[] = {0, 1, 10, CORUN_UNBOUNDED};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (size_t c = 0; c < sizeof capacities / sizeof *capacities; c++) {
            struct shuttle shuttle = {NULL, sizes[s]};
            corun_task *task;
            size_t size = sizes[s], told;
            /* One byte more on each side, to see that nobody writes there. */
            unsigned char *got = malloc(size + 2), *expected = malloc(size + 1);
            OK(corun_channel_create(size, capacities[c], NULL, &shuttle.channel));
            OK(corun_channel_element_size(shuttle.channel, &told));
            EXPECT(told == size);
            OK(corun_channel_capacity(shuttle.channel, &told));
            EXPECT(told == capacities[c]);
            OK(corun_spawn(send_all, &shuttle, NULL, &task));
            for (int n = 0; n < 50; n++) {
                got[0] = got[size + 1] = 0xee;
                OK(corun_channel_receive(shuttle.channel, got + 1));
                fill(expected, size, n);
                EXPECT(memcmp(got + 1, expected, size) == 0 && got[0] == 0xee && got[size + 1] == 0xee);
            }
            OK(corun_task_join(task, NULL));
            OK(corun_channel_release(shuttle.channel));
            free(got);
            free(expected);
        }
}

static void body(void) {
    corun_channel *channel, *sender, *receiver, *other;
    uint64_t number = 0;
    int32_t closed;
    size_t length;

    sizes();
    STATUS(CORUN_ERR_INVALID, corun_channel_create(65537, 1, NULL, &channel));
    STATUS(CORUN_ERR_NOMEM, corun_channel_create(8, CORUN_UNBOUNDED - 1, NULL, &channel));
    STATUS(CORUN_ERR_INVALID, corun_channel_create(8, 1, NULL, NULL));
    EXPECT(strstr(corun_last_error_message(), "NULL"));

    /* Full, empty, timed. */
    OK(corun_channel_create(8, 2, NULL, &channel));
    STATUS(CORUN_ERR_WOULD_BLOCK, corun_channel_try_receive(channel, &number));
    STATUS(CORUN_ERR_TIMEDOUT, corun_channel_receive_timeout(channel, &number, MS(1)));
    STATUS(CORUN_ERR_TIMEDOUT, corun_channel_receive_timeout(channel, &number, 0));
    OK(corun_channel_send_u64(channel, 1));
    OK(corun_channel_send_timeout(channel, &(uint64_t){2}, 0));
    STATUS(CORUN_ERR_WOULD_BLOCK, corun_channel_try_send(channel, &(uint64_t){3}));
    STATUS(CORUN_ERR_TIMEDOUT, corun_channel_send_timeout(channel, &(uint64_t){3}, MS(1)));
    STATUS(CORUN_ERR_TIMEDOUT, corun_channel_send_timeout(channel, &(uint64_t){3}, 0));
    OK(corun_channel_length(channel, &length));
    EXPECT(length == 2);
    STATUS(CORUN_ERR_INVALID, corun_channel_send(channel, NULL));
    STATUS(CORUN_ERR_INVALID, corun_channel_receive(channel, NULL));

    /* Closed, with two left. */
    OK(corun_channel_is_closed(channel, &closed));
    EXPECT(!closed);
    OK(corun_channel_close(channel));
    STATUS(CORUN_ERR_CLOSED, corun_channel_close(channel));
    OK(corun_channel_is_closed(channel, &closed));
    EXPECT(closed);
    STATUS(CORUN_ERR_CLOSED, corun_channel_send_u64(channel, 3));
    STATUS(CORUN_ERR_CLOSED, corun_channel_try_send(channel, &number));
    OK(corun_channel_receive_u64(channel, &number));
    EXPECT(number == 1);
    OK(corun_channel_try_receive(channel, &number));
    EXPECT(number == 2);
    STATUS(CORUN_ERR_CLOSED, corun_channel_receive_u64(channel, &number));
    STATUS(CORUN_ERR_CLOSED, corun_channel_try_receive(channel, &number));
    OK(corun_channel_release(channel));
    STATUS(CORUN_ERR_HANDLE, corun_channel_send_u64(channel, 3));

    /* Directions. */
    OK(corun_channel_create(8, 1, NULL, &channel));
    OK(corun_channel_sender(channel, &sender));
    OK(corun_channel_receiver(channel, &receiver));
    STATUS(CORUN_ERR_DIRECTION, corun_channel_receive_u64(sender, &number));
    STATUS(CORUN_ERR_DIRECTION, corun_channel_try_receive(sender, &number));
    STATUS(CORUN_ERR_DIRECTION, corun_channel_send_u64(receiver, 1));
    STATUS(CORUN_ERR_DIRECTION, corun_channel_try_send(receiver, &number));
    STATUS(CORUN_ERR_DIRECTION, corun_channel_receiver(sender, &other));
    STATUS(CORUN_ERR_DIRECTION, corun_channel_sender(receiver, &other));
    OK(corun_channel_sender(sender, &other));
    OK(corun_channel_release(sender));
    OK(corun_channel_release(channel));
    OK(corun_channel_send_u64(other, 9));
    OK(corun_channel_release(other)); /* the last that could send */
    OK(corun_channel_receive_u64(receiver, &number));
    EXPECT(number == 9);
    STATUS(CORUN_ERR_CLOSED, corun_channel_receive_u64(receiver, &number));
    OK(corun_channel_release(receiver));

    /* Releasing wakes whoever waits. */
    corun_task *task;
    OK(corun_channel_create(8, 0, NULL, &channel));
    OK(corun_spawn(receive_one, channel, NULL, &task));
    until_state(task, CORUN_TASK_WAITING);
    OK(corun_channel_release(channel));
    EXPECT(status_of(task) == CORUN_ERR_CLOSED);
    OK(corun_channel_create(8, 0, NULL, &channel));
    OK(corun_channel_sender(channel, &sender));
    OK(corun_spawn(send_one, sender, NULL, &task));
    until_state(task, CORUN_TASK_WAITING);
    OK(corun_channel_release(channel));
    EXPECT(status_of(task) == CORUN_ERR_CLOSED);
    OK(corun_channel_release(sender));

    /* What nobody received is freed. */
    OK(corun_channel_create(8, 10, count_free, &channel));
    for (uint64_t n = 100; n < 105; n++) OK(corun_channel_send_u64(channel, n));
    OK(corun_channel_receive_u64(channel, &number));
    OK(corun_channel_release(channel));
    EXPECT(frees == 4);
    OK(corun_channel_create(8, 10, count_free, &channel));
    OK(corun_channel_sender(channel, &sender));
    OK(corun_channel_send_u64(sender, 100));
    OK(corun_channel_release(channel));
    EXPECT(frees == 5);
    STATUS(CORUN_ERR_CLOSED, corun_channel_send_u64(sender, 101));
    OK(corun_channel_release(sender));
    EXPECT(frees == 5);

    /* Words only fit channels of words. */
    OK(corun_channel_create(4, 1, NULL, &channel));
    STATUS(CORUN_ERR_INVALID, corun_channel_send_u64(channel, 1));
    STATUS(CORUN_ERR_INVALID, corun_channel_receive_u64(channel, &number));
    OK(corun_channel_release(channel));

    /* Time. */
    int64_t began = corun_now(), then;
    OK(corun_channel_after(MS(5), &channel));
    OK(corun_channel_receive(channel, &then));
    EXPECT(then >= began + MS(5) && corun_now() >= began + MS(5));
    STATUS(CORUN_ERR_TIMEDOUT, corun_channel_receive_timeout(channel, &then, MS(1)));
    STATUS(CORUN_ERR_DIRECTION, corun_channel_send_u64(channel, 1));
    OK(corun_channel_release(channel));
    OK(corun_channel_tick(MS(2), &channel));
    for (int n = 1; n <= 3; n++) {
        OK(corun_channel_receive(channel, &then));
        EXPECT(then >= began + MS(5 + 2 * n));
    }
    OK(corun_channel_release(channel));
    STATUS(CORUN_ERR_INVALID, corun_channel_tick(0, &channel));
}

TEST_MAIN(body)
