// Coroutines as libco has them, without a scheduler: `fibers pcl WORKLOAD` by the Portable Coroutine Library (co_create, co_call, co_delete), and
// `fibers boost WORKLOAD` by boost.context with stacks that are used again. The workloads are those of capi.c; others are left out, with an exit code of 3.
// Nothing here has guards, threads, handles that are checked, or a queue: it is what a call costs at the least.
#include <boost/context/detail/fcontext.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <pcl.h>
#include <unistd.h>
#include <vector>

using boost::context::detail::fcontext_t;
using boost::context::detail::jump_fcontext;
using boost::context::detail::make_fcontext;
using boost::context::detail::transfer_t;

static const int stack_size = 64 * 1024;
static int ended;

static double now() {
    return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

static double resident() {
    long pages = 0, ignored;
    FILE *file = std::fopen("/proc/self/statm", "r");
    if (!file || std::fscanf(file, "%ld %ld", &ignored, &pages) != 2) std::exit(1);
    std::fclose(file);
    return double(pages) * double(sysconf(_SC_PAGESIZE));
}

// ---- The Portable Coroutine Library ----

static void pcl_nothing(void *) { ended++; }

static double pcl_join() {
    const int count = 100000;
    double began = now();
    for (int n = 0; n < count; n++) co_call(co_create(pcl_nothing, nullptr, nullptr, stack_size));
    return (now() - began) / count;
}

static void pcl_yield(void *) {
    for (;;) co_resume();
}

static double pcl_resume() {
    const int count = 200000;
    coroutine_t other = co_create(pcl_yield, nullptr, nullptr, stack_size);
    co_call(other);
    double began = now();
    for (int n = 0; n < count; n++) co_call(other);
    double spent = now() - began;
    co_delete(other);
    return spent / (2.0 * count);
}

static double pcl_bytes() {
    const int count = 100000;
    std::vector<coroutine_t> all(count);
    double before = resident();
    for (coroutine_t &one : all) {
        one = co_create(pcl_yield, nullptr, nullptr, stack_size);
        if (!one) std::exit(1);
        co_call(one);
    }
    double each = (resident() - before) / count;
    for (coroutine_t one : all) co_delete(one);
    return each;
}

// ---- boost.context ----

static std::vector<char *> stacks;

static char *take_stack() {
    if (stacks.empty()) return static_cast<char *>(std::aligned_alloc(64, stack_size));
    char *stack = stacks.back();
    stacks.pop_back();
    return stack;
}

static void boost_nothing(transfer_t from) {
    ended++;
    jump_fcontext(from.fctx, nullptr);
}

static double boost_join() {
    const int count = 100000;
    double began = now();
    for (int n = 0; n < count; n++) {
        char *stack = take_stack();
        jump_fcontext(make_fcontext(stack + stack_size, stack_size, boost_nothing), nullptr);
        stacks.push_back(stack);
    }
    return (now() - began) / count;
}

static void boost_yield(transfer_t from) {
    for (;;) from = jump_fcontext(from.fctx, nullptr);
}

static double boost_resume() {
    const int count = 200000;
    char *stack = take_stack();
    transfer_t to{make_fcontext(stack + stack_size, stack_size, boost_yield), nullptr};
    double began = now();
    for (int n = 0; n < count; n++) to = jump_fcontext(to.fctx, nullptr);
    double spent = now() - began;
    stacks.push_back(stack);
    return spent / (2.0 * count);
}

static double boost_bytes() {
    const int count = 100000;
    std::vector<char *> all(count);
    double before = resident();
    for (char *&stack : all) {
        stack = take_stack();
        jump_fcontext(make_fcontext(stack + stack_size, stack_size, boost_yield), nullptr);
    }
    double each = (resident() - before) / count;
    for (char *stack : all) std::free(stack);
    return each;
}

static double least(double (*measure)()) {
    double first = measure(), second = measure();
    return first < second ? first : second;
}

int main(int count, char **words) {
    if (count != 3) return 2;
    bool pcl = !std::strcmp(words[1], "pcl");
    double result;
    if (!std::strcmp(words[2], "join"))
        result = least(pcl ? pcl_join : boost_join);
    else if (!std::strcmp(words[2], "resume"))
        result = least(pcl ? pcl_resume : boost_resume);
    else if (!std::strcmp(words[2], "task-bytes"))
        result = pcl ? pcl_bytes() : boost_bytes();
    else
        return 3;
    std::printf("%.3f\n", result);
    return 0;
}
