// C++: closures as tasks, channels with a type, and exceptions that come out where the task is joined. A task may wait inside of a catch block.
#include "check.h"

#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

// A coroutine that is joined. An exception must not leave the function that is handed over: it is kept, and thrown again by `join`.
class Task {
    struct Body {
        std::function<void()> run;
        std::exception_ptr thrown;
    };
    std::unique_ptr<Body> body;
    corun_task *handle = nullptr;

    static void *enter(void *argument) {
        auto *body = static_cast<Body *>(argument);
        try {
            body->run();
        } catch (...) {
            body->thrown = std::current_exception();
            corun_task_fail(1, "an exception");
        }
        return nullptr;
    }

  public:
    explicit Task(std::function<void()> run) : body(new Body{std::move(run), nullptr}) {
        corun_task_options options = CORUN_TASK_OPTIONS_INIT;
        options.flags = CORUN_TASK_SAVE_CXX;
        CHECK(corun_spawn(enter, body.get(), &options, &handle));
    }
    Task(Task &&other) noexcept : body(std::move(other.body)), handle(std::exchange(other.handle, nullptr)) {}
    Task(const Task &) = delete;
    ~Task() {
        if (handle) corun_task_join(handle, nullptr);
    }
    void join() {
        if (corun_task_join(std::exchange(handle, nullptr), nullptr) == CORUN_ERR_FAILED && body->thrown)
            std::rethrow_exception(body->thrown);
    }
};

template <typename T> class Channel {
    corun_channel *handle = nullptr;

    static void destroy(void *element) { delete *static_cast<T **>(element); }

  public:
    explicit Channel(std::size_t capacity) { CHECK(corun_channel_create(sizeof(T *), capacity, destroy, &handle)); }
    Channel(const Channel &) = delete;
    ~Channel() { corun_channel_release(handle); }
    void send(T value) {
        T *element = new T(std::move(value));
        if (corun_channel_send(handle, &element) != CORUN_OK) {
            delete element;
            throw std::runtime_error(corun_last_error_message());
        }
    }
    std::unique_ptr<T> receive() {
        T *element = nullptr;
        return std::unique_ptr<T>(corun_channel_receive(handle, &element) == CORUN_OK ? element : nullptr);
    }
    void close() { corun_channel_close(handle); }
};

static int32_t run(int32_t, char **) {
    Channel<std::string> words(2);
    Task speaker([&] {
        for (const char *word : {"coroutines", "in", "C++"}) words.send(word);
        words.close();
    });
    while (auto word = words.receive()) std::printf("%s\n", word->c_str());
    speaker.join();

    // Many tasks wait inside of catch blocks at once, each with an exception of its own.
    std::vector<Task> tasks;
    std::vector<std::string> seen(100);
    for (int n = 0; n < 100; n++)
        tasks.emplace_back([n, &seen] {
            try {
                throw std::runtime_error(std::to_string(n));
            } catch (const std::exception &) {
                corun_sleep(1000 * (100 - n));
                try {
                    throw; // the one that this task is handling, and no other's
                } catch (const std::exception &error) {
                    seen[static_cast<std::size_t>(n)] = error.what();
                }
            }
        });
    int right = 0;
    for (auto &task : tasks) task.join();
    for (int n = 0; n < 100; n++) right += seen[static_cast<std::size_t>(n)] == std::to_string(n);
    std::printf("%d of 100 exceptions were one's own\n", right);

    Task failing([] { throw std::runtime_error("thrown in a task"); });
    try {
        failing.join();
    } catch (const std::exception &error) {
        std::printf("caught: %s\n", error.what());
    }
    return 0;
}

int main(int argc, char **argv) { return corun_main(run, argc, argv); }
