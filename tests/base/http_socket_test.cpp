#include "base/http_socket.hpp"

#include <array>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>

namespace interlock::base {
namespace {

using Is = HttpIo::Is;

struct Pair {
    Pair() { REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()) == 0); }
    ~Pair() { close_peer(); }
    Pair(const Pair&) = delete;
    Pair& operator=(const Pair&) = delete;
    void close_peer() {
        if (ends[1] >= 0) {
            ::close(std::exchange(ends[1], -1));
        }
    }

    HttpLoop loop;
    std::array<int, 2> ends{};
    std::array<char, 100> room{};
};

} // namespace

TEST_CASE("a plain socket moves what is there and never waits", "[base]") {
    Pair pair;
    HttpSocket socket(pair.loop, pair.ends[0], nullptr);
    CHECK_FALSE(socket.is_tls());
    CHECK(socket.handshake().is == Is::moved);
    CHECK(socket.read_some(pair.room.data(), pair.room.size()).is == Is::blocked);
    REQUIRE(::write(pair.ends[1], "hello", 5) == 5);
    const HttpIo io = socket.read_some(pair.room.data(), pair.room.size());
    CHECK(io.is == Is::moved);
    CHECK(std::string(pair.room.data(), io.count) == "hello");
    CHECK(socket.write_some("hi").count == 2);
    CHECK(::read(pair.ends[1], pair.room.data(), pair.room.size()) == 2);
}

TEST_CASE("what lies in two places leaves in one go", "[base]") {
    Pair pair;
    HttpSocket socket(pair.loop, pair.ends[0], nullptr);
    CHECK(socket.write_some("head, ", "body").count == 10);
    CHECK(socket.write_some("", "!").count == 1);
    const ssize_t count = ::read(pair.ends[1], pair.room.data(), pair.room.size());
    REQUIRE(count == 11);
    CHECK(std::string(pair.room.data(), 11) == "head, body!");
}

TEST_CASE("a socket that takes no more says so, and takes the rest later", "[base]") {
    Pair pair;
    HttpSocket socket(pair.loop, pair.ends[0], nullptr);
    const std::string bytes(1 << 16, 'x');
    HttpIo io{Is::moved};
    std::size_t sent = 0;
    while ((io = socket.write_some(bytes)).is == Is::moved) {
        sent += io.count;
    }
    CHECK(io.is == Is::blocked);
    while (sent > 0) {
        const ssize_t count = ::read(pair.ends[1], pair.room.data(), pair.room.size());
        REQUIRE(count > 0);
        sent -= static_cast<std::size_t>(count);
    }
    CHECK(socket.write_some(bytes).is == Is::moved);
}

TEST_CASE("the end of one direction leaves the other open", "[base]") {
    Pair pair;
    HttpSocket socket(pair.loop, pair.ends[0], nullptr);
    CHECK(socket.end_output());
    CHECK(::read(pair.ends[1], pair.room.data(), pair.room.size()) == 0);
    REQUIRE(::write(pair.ends[1], "late", 4) == 4);
    CHECK(socket.read_some(pair.room.data(), pair.room.size()).count == 4);
    CHECK(socket.write_some("x").is == Is::failed);
    pair.close_peer();
    CHECK(socket.read_some(pair.room.data(), pair.room.size()).is == Is::ended);
}

TEST_CASE("writing to a peer that is gone is a failure, not a signal", "[base]") {
    Pair pair;
    HttpSocket socket(pair.loop, pair.ends[0], nullptr);
    pair.close_peer();
    CHECK(socket.write_some("x").is == Is::failed);
}

} // namespace interlock::base
