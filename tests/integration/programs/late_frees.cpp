// The ways in which a program or a thread can end while something still allocates and frees.
// argv: return, exit, thread-exit, quick, main-thread-exit, detached, signal.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <pthread.h>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

namespace {

void say(const char *text) {  // no buffer: nothing is lost, whichever way the program ends
    if (write(1, text, std::strlen(text)) < 0) std::abort();
}

struct Static {
    std::vector<std::string> words;
    ~Static() {
        words.emplace_back("allocated while static objects are destroyed, and freed at once");
        words.clear();
        words.shrink_to_fit();
        say("static destructor\n");
    }
};
Static global;

struct PerThread {
    std::unique_ptr<std::string> word;
    ~PerThread() {
        word = std::make_unique<std::string>(500, 'w');
        word.reset();
    }
};
thread_local PerThread per_thread;

pthread_key_t key;

void key_destructor(void *value) {
    std::free(value);
    void *more = std::malloc(3000);
    static thread_local int passes = 0;
    if (++passes < 4) pthread_setspecific(key, more);  // as often as POSIX allows
    else std::free(more);
}

void use_thread_storage() {
    per_thread.word = std::make_unique<std::string>(100, 'x');
    pthread_setspecific(key, std::malloc(100));
    global.words.emplace_back("made in a thread, freed by a static destructor");
}

void at_exit() {
    std::free(std::malloc(100000));
    say("atexit\n");
}

void at_quick_exit_handler() {
    std::free(std::malloc(100000));
    say("at_quick_exit\n");
}

}  // namespace

int main(int argc, char **argv) {
    std::string how = argc > 1 ? argv[1] : "return";
    pthread_key_create(&key, key_destructor);
    std::atexit(at_exit);
    std::at_quick_exit(at_quick_exit_handler);
    for (int i = 0; i < 20; i++) std::thread(use_thread_storage).join();
    use_thread_storage();
    say("main\n");
    if (how == "exit") std::exit(3);
    if (how == "quick") std::quick_exit(4);
    if (how == "thread-exit") {
        std::thread([] { std::exit(5); }).join();
    } else if (how == "main-thread-exit") {
        // The process lives on in a thread that was started by main, and ends with it.
        std::thread([main_thread = pthread_self()] {
            pthread_join(main_thread, nullptr);
            use_thread_storage();
            say("after the main thread\n");
        }).detach();
        pthread_exit(nullptr);
    } else if (how == "detached") {
        for (int i = 0; i < 8; i++)
            std::thread([] { for (;;) std::free(std::malloc(1000)); }).detach();
        usleep(20000);
        return 6;
    } else if (how == "signal") {
        std::abort();
    }
    return 0;
}
