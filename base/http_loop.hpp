// The event loop of one HTTP server's thread: readiness of descriptors, one-shot timers, work
// posted from other threads. Hides Asio.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

namespace interlock::base {

class HttpLoop {
public:
    HttpLoop();
    ~HttpLoop();
    HttpLoop(const HttpLoop&) = delete;
    HttpLoop& operator=(const HttpLoop&) = delete;

    /// Serves until finish() was called and nothing is awaited any more.
    void run();
    void finish();
    /// Runs `action` on the loop's thread; from any thread.
    void post(std::function<void()> action);

    struct Parts;
    Parts& parts() { return *parts_; }

private:
    std::unique_ptr<Parts> parts_;
};

/// Called on the loop's thread when the descriptor it waits for is ready.
class HttpReady {
public:
    virtual ~HttpReady() = default;
    virtual void on_readable() = 0;
    virtual void on_writable() = 0;
};

/// Owns a descriptor and waits for it to become ready. Holds no buffer: an idle socket is cheap.
class HttpDescriptor {
public:
    HttpDescriptor(HttpLoop& loop, int descriptor);
    ~HttpDescriptor();
    HttpDescriptor(const HttpDescriptor&) = delete;
    HttpDescriptor& operator=(const HttpDescriptor&) = delete;

    enum class Event { readable, writable };
    /// When `event` comes, tells `waiter` that it can read or write, as `then` says: TLS may have
    /// to write before it can read. A descriptor closed meanwhile tells nobody.
    void wait(Event event, std::shared_ptr<HttpReady> waiter, Event then);
    int number() const;
    void close();

private:
    struct Handle;
    std::unique_ptr<Handle> handle_;
};

class HttpTimer {
public:
    explicit HttpTimer(HttpLoop& loop);
    ~HttpTimer();
    HttpTimer(const HttpTimer&) = delete;
    HttpTimer& operator=(const HttpTimer&) = delete;

    /// Replaces what was awaited before.
    void start(std::chrono::milliseconds delay, std::function<void()> action);
    void cancel();

private:
    struct Handle;
    std::unique_ptr<Handle> handle_;
};

} // namespace interlock::base
