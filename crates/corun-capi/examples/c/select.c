/* Select: the first of several, with a default, and with a limit. */
#include "check.h"

static void *count_up(void *argument) {
    corun_channel *numbers = argument;
    for (uint64_t n = 1; n <= 5; n++)
        if (corun_channel_send_u64(numbers, n) != CORUN_OK)
            return NULL;
    corun_channel_close(numbers);
    return NULL;
}

static int32_t run(int32_t argc, char **argv) {
    (void)argc, (void)argv;
    corun_channel *numbers, *quiet;
    uint64_t number = 0, nothing = 0, sum = 0;
    size_t chosen;
    CHECK(corun_channel_create(8, 0, NULL, &numbers));
    CHECK(corun_channel_create(8, 0, NULL, &quiet));
    corun_select_case cases[2] = {
        {numbers, &number, CORUN_SELECT_RECEIVE, CORUN_OK},
        {quiet, &nothing, CORUN_SELECT_RECEIVE, CORUN_OK},
    };

    /* With a timeout of 0: the default. */
    if (corun_select(cases, 2, 0, &chosen) == CORUN_ERR_WOULD_BLOCK)
        printf("default: nothing is there\n");

    CHECK(corun_spawn(count_up, numbers, NULL, NULL));
    for (;;) {
        CHECK(corun_select(cases, 2, CORUN_FOREVER, &chosen));
        if (cases[chosen].status == CORUN_ERR_CLOSED)
            break;
        sum += number;
    }
    printf("arm %lu is closed, the sum is %lu\n", (unsigned long)chosen, (unsigned long)sum);

    /* An arm that is done with is switched off by a NULL. */
    cases[0].channel = NULL;
    printf("%s\n", corun_status_name(corun_select(cases, 2, 5 * 1000 * 1000, &chosen)));

    /* Or a timer is one of the arms. */
    CHECK(corun_channel_after(1000 * 1000, &cases[0].channel));
    CHECK(corun_select(cases, 2, CORUN_FOREVER, &chosen));
    printf("arm %lu: %s\n", (unsigned long)chosen, corun_status_name(cases[chosen].status));

    /* Sending is an arm as well. */
    corun_channel *room;
    uint64_t message = 42;
    CHECK(corun_channel_create(8, 1, NULL, &room));
    corun_select_case sending = {room, &message, CORUN_SELECT_SEND, CORUN_OK};
    CHECK(corun_select(&sending, 1, CORUN_FOREVER, &chosen));
    CHECK(corun_channel_receive_u64(room, &number));
    printf("sent and received: %lu\n", (unsigned long)number);

    corun_channel_release(room);
    corun_channel_release(cases[0].channel);
    corun_channel_release(quiet);
    corun_channel_release(numbers);
    return 0;
}

int main(int argc, char **argv) {
    return corun_main(run, argc, argv);
}
