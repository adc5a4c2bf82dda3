/* Channels: a producer, two workers and a collector. Closing travels through. */
#include "check.h"

struct job {
    int number;
    double value;
};

struct stage {
    corun_channel *in, *out;
};

static void *produce(void *argument) {
    corun_channel *jobs = argument;
    for (int n = 1; n <= 100; n++) {
        struct job job = {n, n / 2.0};
        CHECK(corun_channel_send(jobs, &job));
    }
    CHECK(corun_channel_close(jobs));
    return NULL;
}

static void *work(void *argument) {
    struct stage *stage = argument;
    struct job job;
    uintptr_t done = 0;
    /* What is left after the close is received before CORUN_ERR_CLOSED is. */
    while (corun_channel_receive(stage->in, &job) == CORUN_OK) {
        job.value *= job.number;
        CHECK(corun_channel_send(stage->out, &job));
        done++;
    }
    /* When the last worker has gone, the collector is told so. */
    CHECK(corun_channel_release(stage->out));
    return (void *)done;
}

static int32_t run(int32_t argc, char **argv) {
    (void)argc, (void)argv;
    corun_channel *jobs, *results;
    struct stage stages[2];
    corun_task *producer, *workers[2];
    CHECK(corun_channel_create(sizeof(struct job), 4, NULL, &jobs));
    CHECK(corun_channel_create(sizeof(struct job), 0, NULL, &results)); /* a rendezvous */
    CHECK(corun_spawn(produce, jobs, NULL, &producer));
    for (int n = 0; n < 2; n++) {
        stages[n].in = jobs;
        CHECK(corun_channel_sender(results, &stages[n].out));
        CHECK(corun_spawn(work, &stages[n], NULL, &workers[n]));
    }
    /* This side only receives. */
    corun_channel *collect;
    CHECK(corun_channel_receiver(results, &collect));
    CHECK(corun_channel_release(results));

    struct job job;
    double sum = 0;
    int count = 0;
    corun_status status;
    while ((status = corun_channel_receive(collect, &job)) == CORUN_OK) {
        sum += job.value;
        count++;
    }
    printf("%d results, sum %.1f, then %s\n", count, sum, corun_status_name(status));
    printf("sending here: %s\n", corun_status_name(corun_channel_send(collect, &job)));

    uintptr_t done = 0;
    for (int n = 0; n < 2; n++) {
        void *result;
        CHECK(corun_task_join(workers[n], &result));
        done += (uintptr_t)result;
    }
    CHECK(corun_task_join(producer, NULL));
    printf("the workers did %lu\n", (unsigned long)done);
    CHECK(corun_channel_release(collect));
    CHECK(corun_channel_release(jobs));
    return 0;
}

int main(int argc, char **argv) {
    return corun_main(run, argc, argv);
}
