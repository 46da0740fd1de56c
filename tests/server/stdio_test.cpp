#include "server/stdio.hpp"
#include "tests/server/fixture.hpp"

#include <thread>
#include <unistd.h>

#include <catch2/catch.hpp>

namespace {

using interlock::server::Line;
using interlock::server::LineSplitter;
using interlock::server::StdioServer;
using interlock::test::Core;
using interlock::test::modern_meta;

std::vector<std::string> texts(const std::vector<Line>& lines) {
    std::vector<std::string> out;
    for (const Line& line : lines) {
        out.push_back(line.too_long ? "<too long>" : line.text);
    }
    return out;
}

using Texts = std::vector<std::string>;

/// A pipe whose ends close with the scope.
struct Pipe {
    Pipe() { REQUIRE(::pipe(ends) == 0); }
    ~Pipe() {
        close_read();
        close_write();
    }
    void close_read() { close_end(0); }
    void close_write() { close_end(1); }
    void close_end(int which) {
        if (ends[which] >= 0) {
            ::close(ends[which]);
            ends[which] = -1;
        }
    }
    void write(const std::string& text) {
        REQUIRE(::write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    }
    /// One line, blocking.
    std::string line() {
        std::string out;
        char letter = 0;
        while (::read(ends[0], &letter, 1) == 1 && letter != '\n') {
            out += letter;
        }
        return out;
    }
    int ends[2] = {-1, -1};
};

/// A server on two pipes.
struct Running {
    explicit Running(Core& core)
        : thread([this, &core] {
              StdioServer server(core.handler, core.stdio().identity, in.ends[0], out.ends[1]);
              server.serve();
          }) {}
    ~Running() {
        in.close_write();
        thread.join();
    }
    Pipe in;
    Pipe out;
    std::thread thread;
};

} // namespace

TEST_CASE("lines are found however the bytes arrive", "[server]") {
    LineSplitter splitter;
    CHECK(splitter.feed("{\"a\"").empty());
    CHECK(splitter.midway());
    CHECK(
        texts(splitter.feed(":1}\n{\"b\":2}\r\n\n\r\n{\"c\"")) == Texts{"{\"a\":1}", "{\"b\":2}"}
    );
    CHECK(texts(splitter.feed("}\n")) == Texts{"{\"c\"}"});
    CHECK_FALSE(splitter.midway());
    for (const char letter : std::string("abc")) {
        CHECK(splitter.feed(std::string(1, letter)).empty());
    }
    CHECK(texts(splitter.feed("\n")) == Texts{"abc"});
}

TEST_CASE("a line past the limit is skipped, told, and the next one is read", "[server]") {
    LineSplitter splitter(8);
    CHECK(splitter.feed("123456789").empty());
    CHECK(splitter.midway());
    CHECK(splitter.feed(std::string(100'000, 'x')).empty());
    CHECK(texts(splitter.feed("y\n12345678\n")) == Texts{"<too long>", "12345678"});
    CHECK(texts(splitter.feed("123456789\n1\n")) == Texts{"<too long>", "1"});
}

TEST_CASE("two messages in one write and one in two are answered a line each", "[server]") {
    Core core;
    Running running(core);
    running.in.write(
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n"
        "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"ping\"}\n{\"jsonrpc\":\"2.0\",\"id\":3,"
    );
    CHECK(running.out.line() == R"({"jsonrpc":"2.0","id":1,"result":{}})");
    CHECK(running.out.line() == R"({"jsonrpc":"2.0","id":2,"result":{}})");
    running.in.write("\"method\":\"ping\"}\n");
    CHECK(running.out.line() == R"({"jsonrpc":"2.0","id":3,"result":{}})");
    running.in.write("not JSON\n");
    CHECK(running.out.line().find("-32700") != std::string::npos);
}

TEST_CASE("a huge line is refused without keeping it", "[server]") {
    Core core;
    Running running(core);
    const std::string chunk(64 * 1024, 'x');
    for (int i = 0; i < 40; ++i) {
        running.in.write(chunk);
    }
    running.in.write("\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n");
    CHECK(running.out.line().find("-32600") != std::string::npos);
    CHECK(running.out.line() == R"({"jsonrpc":"2.0","id":1,"result":{}})");
}

TEST_CASE("a message cut off by the end of input is not acted on", "[server]") {
    Core core;
    {
        Running running(core);
        running.in.write(
            R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo",)"
            R"("arguments":{"text":"hi"},)" +
            modern_meta() + "}}"
        );
    }
    CHECK(core.audit.entries().empty());
}

TEST_CASE("a cancelled call on stdio stays silent while others are answered", "[server]") {
    Core core;
    Running running(core);
    running.in.write(
        R"({"jsonrpc":"2.0","id":"slow","method":"tools/call","params":{"name":"waits",)" +
        modern_meta() + "}}\n" +
        R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"slow"}})" +
        "\n" + R"({"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo",)" +
        R"("arguments":{"text":"quick"},)" + modern_meta() + "}}\n"
    );
    CHECK(running.out.line().find(R"("id":2)") != std::string::npos);
    core.dispatcher.drain(interlock::test::patience);
    running.in.write("{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"ping\"}\n");
    CHECK(running.out.line() == R"({"jsonrpc":"2.0","id":3,"result":{}})");
}

TEST_CASE("the server ends when nobody reads its answers any more", "[server]") {
    Core core;
    Pipe in;
    Pipe out;
    out.close_read();
    std::thread thread([&] {
        StdioServer server(core.handler, core.stdio().identity, in.ends[0], out.ends[1]);
        server.serve();
    });
    in.write("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n");
    thread.join();
}
