#include "base/http_loop.hpp"

#include <array>
#include <chrono>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include <catch2/catch.hpp>

namespace interlock::base {
namespace {

using namespace std::chrono_literals;
using Event = HttpDescriptor::Event;

struct Waiter final : HttpReady {
    explicit Waiter(HttpLoop& chosen) : loop(chosen) {}
    void on_readable() override { end("readable"); }
    void on_writable() override { end("writable"); }
    void end(const char* what) {
        told += what;
        loop.finish();
    }

    HttpLoop& loop;
    std::string told;
};

} // namespace

TEST_CASE("what other threads post runs on the loop's thread, in order", "[base]") {
    HttpLoop loop;
    std::string order;
    std::thread::id where;
    std::thread poster([&] {
        loop.post([&] { order += "a"; });
        loop.post([&] {
            order += "b";
            where = std::this_thread::get_id();
            loop.finish();
        });
    });
    loop.run();
    poster.join();
    CHECK(order == "ab");
    CHECK(where == std::this_thread::get_id());
}

TEST_CASE("a timer runs once, the last one started, and not after it was cancelled", "[base]") {
    HttpLoop loop;
    HttpTimer timer(loop);
    HttpTimer cancelled(loop);
    std::string told;
    timer.start(1h, [&] { told += "replaced"; });
    timer.start(1ms, [&] {
        told += "due";
        loop.finish();
    });
    cancelled.start(1h, [&] { told += "cancelled"; });
    cancelled.cancel();
    loop.run();
    CHECK(told == "due");
}

TEST_CASE("a descriptor tells its waiter what it asked to hear", "[base]") {
    const auto [event, then, told] = GENERATE(table<Event, Event, std::string>({
        {Event::readable, Event::readable, "readable"},
        {Event::writable, Event::writable, "writable"},
        {Event::readable, Event::writable, "writable"}, // TLS reads in order to write
        {Event::writable, Event::readable, "readable"},
    }));
    HttpLoop loop;
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()) == 0);
    REQUIRE(::write(ends[1], "x", 1) == 1);
    HttpDescriptor descriptor(loop, ends[0]);
    CHECK(descriptor.number() == ends[0]);
    const auto waiter = std::make_shared<Waiter>(loop);
    descriptor.wait(event, waiter, then);
    loop.run();
    CHECK(waiter->told == told);
    ::close(ends[1]);
}

TEST_CASE("a closed descriptor tells nobody and keeps nobody alive", "[base]") {
    HttpLoop loop;
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()) == 0);
    HttpDescriptor descriptor(loop, ends[0]);
    auto waiter = std::make_shared<Waiter>(loop);
    const std::weak_ptr<Waiter> seen = waiter;
    descriptor.wait(Event::readable, waiter, Event::readable);
    descriptor.close();
    loop.finish();
    loop.run();
    CHECK(waiter->told.empty());
    waiter.reset();
    CHECK(seen.expired());
    ::close(ends[1]);
}

} // namespace interlock::base
