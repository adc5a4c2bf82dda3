/* Select over many arms. */
#include "expect.h"

enum { ARMS = 20, EACH = 100 };

static corun_channel *channels[ARMS];

static void *feed(void *argument) {
    corun_channel *channel = argument;
    for (uint64_t n = 1; n <= EACH; n++) OK(corun_channel_send_u64(channel, n));
    OK(corun_channel_close(channel));
    return NULL;
}

static void *eat(void *argument) {
    uint64_t sum = 0, number;
    while (corun_channel_receive_u64(argument, &number) == CORUN_OK) sum += number;
    return (void *)(uintptr_t)sum;
}

static void body(void) {
    corun_select_case cases[ARMS];
    uint64_t numbers[ARMS], sum = 0;
    size_t chosen, open = ARMS;

    /* From all of them until each is closed; closed arms are switched off. */
    for (int n = 0; n < ARMS; n++) {
        OK(corun_channel_create(8, (size_t)n % 3, NULL, &channels[n]));
        OK(corun_spawn(feed, channels[n], NULL, NULL));
        cases[n] = (corun_select_case){channels[n], &numbers[n], CORUN_SELECT_RECEIVE, CORUN_OK};
    }
    while (open) {
        OK(corun_select(cases, ARMS, MS(60000), &chosen));
        if (cases[chosen].status == CORUN_ERR_CLOSED) {
            cases[chosen].channel = NULL;
            open--;
        } else {
            OK(cases[chosen].status);
            sum += numbers[chosen];
        }
    }
    EXPECT(sum == ARMS * EACH * (EACH + 1) / 2);
    STATUS(CORUN_ERR_WOULD_BLOCK, corun_select(cases, ARMS, 0, &chosen));
    STATUS(CORUN_ERR_TIMEDOUT, corun_select(cases, ARMS, MS(1), &chosen));
    STATUS(CORUN_ERR_WOULD_BLOCK, corun_select(NULL, 0, 0, &chosen));
    STATUS(CORUN_ERR_TIMEDOUT, corun_select(NULL, 0, MS(1), &chosen));

    /* To several: all arrives, and both get something. */
    corun_channel *left, *right;
    corun_task *eaters[2];
    uint64_t number;
    int counts[2] = {0, 0};
    OK(corun_channel_create(8, 0, NULL, &left));
    OK(corun_channel_create(8, 0, NULL, &right));
    OK(corun_spawn(eat, left, NULL, &eaters[0]));
    OK(corun_spawn(eat, right, NULL, &eaters[1]));
    corun_select_case sends[2] = {{left, &number, CORUN_SELECT_SEND, 0}, {right, &number, CORUN_SELECT_SEND, 0}};
    for (number = 1; number <= 1000; number++) {
        OK(corun_select(sends, 2, CORUN_FOREVER, &chosen));
        OK(sends[chosen].status);
        counts[chosen]++;
    }
    OK(corun_channel_close(left));
    OK(corun_channel_close(right));
    uintptr_t eaten = 0;
    for (int n = 0; n < 2; n++) {
        void *result;
        OK(corun_task_join(eaters[n], &result));
        eaten += (uintptr_t)result;
    }
    EXPECT(eaten == 500500 && counts[0] > 0 && counts[1] > 0);
    OK(corun_select(sends, 2, CORUN_FOREVER, &chosen));
    STATUS(CORUN_ERR_CLOSED, sends[chosen].status);

    /* Mistakes name their arm. */
    corun_select_case wrong[3] = {{left, &number, CORUN_SELECT_RECEIVE, 0}, {channels[0], NULL, CORUN_SELECT_RECEIVE, 0}, {right, &number, 7, 0}};
    STATUS(CORUN_ERR_INVALID, corun_select(wrong, 3, 0, &chosen));
    EXPECT(chosen == 1);
    wrong[1].channel = NULL;
    STATUS(CORUN_ERR_INVALID, corun_select(wrong, 3, 0, &chosen));
    EXPECT(chosen == 2);
    wrong[2] = (corun_select_case){(corun_channel *)eaters[0], &number, CORUN_SELECT_RECEIVE, 0};
    STATUS(CORUN_ERR_HANDLE, corun_select(wrong, 3, 0, &chosen));
    corun_channel *sender;
    OK(corun_channel_sender(left, &sender));
    wrong[2].channel = sender;
    STATUS(CORUN_ERR_DIRECTION, corun_select(wrong, 3, 0, &chosen));
    STATUS(CORUN_ERR_INVALID, corun_select(wrong, 3, 0, NULL));
    STATUS(CORUN_ERR_INVALID, corun_select(NULL, 3, 0, &chosen));
    OK(corun_channel_release(sender));
}

TEST_MAIN(body)
