/* The control words of the floating point unit are a task's own, if it asks for that. */
#include "expect.h"
#include <fenv.h>

static double third(void) {
    volatile double one = 1, three = 3;
    return one / three;
}

static void *round_up(void *argument) {
    EXPECT(fegetround() == FE_TONEAREST);
    fesetround(argument ? FE_UPWARD : FE_DOWNWARD);
    double mine = third();
    for (int n = 0; n < 100; n++) {
        OK(corun_yield());
        if (n % 10 == 0) OK(corun_sleep(1000));
        EXPECT(fegetround() == (argument ? FE_UPWARD : FE_DOWNWARD));
        EXPECT(third() == mine);
    }
    return argument;
}

static void *plain(void *argument) {
    for (int n = 0; n < 100; n++) {
        EXPECT(fegetround() == FE_TONEAREST);
        OK(corun_yield());
        if (n % 10 == 0) OK(corun_sleep(1000));
    }
    return argument;
}

static void body(void) {
    corun_task_options options = CORUN_TASK_OPTIONS_INIT;
    corun_task *tasks[30];
    options.flags = CORUN_TASK_SAVE_FP;
    for (int n = 0; n < 30; n++)
        if (n % 3 == 0)
            OK(corun_spawn(plain, NULL, NULL, &tasks[n]));
        else
            OK(corun_spawn(round_up, n % 3 == 1 ? &options : NULL, &options, &tasks[n]));
    for (int n = 0; n < 30; n++) OK(corun_task_join(tasks[n], NULL));
}

TEST_MAIN(body)
