#include "server/stdio.hpp"
#include "tests/server/transport_fixture.hpp"

#include <fcntl.h>
#include <thread>
#include <unistd.h>

#include <catch2/catch.hpp>

namespace {

using interlock::server::Line;
using interlock::server::LineSplitter;
using interlock::server::LineWriter;
using interlock::server::NewsWriter;
using interlock::server::StdioServer;
using interlock::test::TransportRoom;
using interlock::test::protocol::modern_meta;
using namespace std::chrono_literals;

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

std::string ping(int id) {
    return R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"method":"ping"})";
}

const std::string initialize =
    R"({"jsonrpc":"2.0","id":"hello","method":"initialize","params":{)"
    R"("protocolVersion":"2025-11-25","capabilities":{"elicitation":{}},)"
    R"("clientInfo":{"name":"c","version":"1"}}})";

/// A modern tools/call.
std::string call_of(const std::string& tool, const std::string& id = "1") {
    return R"({"jsonrpc":"2.0","id":)" + id + R"(,"method":"tools/call","params":{"name":")" +
           tool + R"(",)" + modern_meta() + "}}";
}

/// A server on two pipes.
struct Running {
    explicit Running(TransportRoom& core)
        : thread([this, &core] {
              StdioServer server(
                  core.handler, core.hub, TransportRoom::user(), in.ends[0], out.ends[1]
              );
              server.serve();
          }) {}
    ~Running() { end_input(); }
    /// Returns when the server has noticed.
    void end_input() {
        in.close_write();
        if (thread.joinable()) {
            thread.join();
        }
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
    TransportRoom core;
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
    TransportRoom core;
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
    TransportRoom core;
    Running running(core);
    running.in.write(call_of("waits"));
    running.end_input();
    CHECK(core.dispatcher.under_way() == 0);
    running.out.close_write();
    CHECK(running.out.line().empty());
}

TEST_CASE("what is under way at the end of input is still answered", "[server]") {
    TransportRoom core;
    Running running(core);
    running.in.write(call_of("talks") + "\n");
    running.end_input();
    core.go_on.come();
    CHECK(running.out.line().find("talked") != std::string::npos);
}

TEST_CASE("a cancelled call on stdio stays silent while others are answered", "[server]") {
    TransportRoom core;
    Running running(core);
    running.in.write(call_of("waits", "\"slow\"") + "\n");
    REQUIRE(core.waiting.wait());
    running.in.write(
        R"({"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"slow"}})"
        "\n" +
        call_of("echo", "2") + "\n"
    );
    CHECK(running.out.line().find(R"("id":2)") != std::string::npos);
    REQUIRE(core.stopped.wait());
    core.dispatcher.drain(20s);
    running.in.write(ping(3) + "\n");
    CHECK(running.out.line() == R"({"jsonrpc":"2.0","id":3,"result":{}})");
}

TEST_CASE("one process speaks both eras, in any order", "[server]") {
    TransportRoom core;
    Running running(core);
    running.in.write(call_of("echo", "1") + "\n");
    CHECK(running.out.line().find("echoed") != std::string::npos);
    running.in.write(initialize + "\n");
    CHECK(running.out.line().find(R"("protocolVersion":"2025-11-25")") != std::string::npos);
    running.in.write(R"({"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"echo"}})"
                     "\n");
    CHECK(running.out.line().find("echoed") != std::string::npos);
    running.in.write(call_of("echo", "4") + "\n");
    CHECK(running.out.line().find(R"("resultType":"complete")") != std::string::npos);
}

TEST_CASE("a question and its answer travel over the same two pipes", "[server]") {
    TransportRoom core;
    Running running(core);
    running.in.write(
        initialize + "\n" +
        R"({"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"asks"}})"
        "\n"
    );
    running.out.line();
    const std::string question = running.out.line();
    CHECK(question.find("elicitation/create") != std::string::npos);
    const auto begin = question.find("\"id\":") + 5;
    const std::string id = question.substr(begin, question.find_first_of(",}", begin) - begin);
    running.in.write(
        R"({"jsonrpc":"2.0","id":)" + id +
        R"(,"result":{"action":"decline"}})"
        "\n"
    );
    CHECK(running.out.line().find(R"("text":"answered")") != std::string::npos);
}

TEST_CASE("a legacy process hears that the tools have changed", "[server]") {
    TransportRoom core;
    Running running(core);
    running.in.write(
        initialize + "\n" +
        R"({"jsonrpc":"2.0","method":"notifications/initialized"})"
        "\n" +
        ping(2) + "\n"
    );
    running.out.line();
    running.out.line();
    auto offer = core.talking_offer();
    offer.tools.pop_back();
    core.room.catalogue.replace(interlock::test::protocol::compiled(std::move(offer)));
    CHECK(running.out.line().find("notifications/tools/list_changed") != std::string::npos);
}

TEST_CASE("the server ends when nobody reads its answers any more", "[server]") {
    TransportRoom core;
    Pipe in;
    Pipe out;
    out.close_read();
    std::thread thread([&] {
        StdioServer server(core.handler, core.hub, TransportRoom::user(), in.ends[0], out.ends[1]);
        server.serve();
    });
    in.write(ping(1) + "\n");
    thread.join();
}

TEST_CASE("every message is one line whatever white space is in it", "[server]") {
    Pipe out;
    LineWriter writer(out.ends[1]);
    CHECK(writer.write("{\n\"a\":\r\n\"\u2028\"}"));
    CHECK(out.line() == "{ \"a\":  \"\\u2028\"}");
}

TEST_CASE("news wait for nobody, are bounded, and no line is torn", "[server]") {
    Pipe out;
    const int size = ::fcntl(out.ends[1], F_SETPIPE_SZ, 4096);
    REQUIRE(size >= 4096);
    const auto writer = std::make_shared<LineWriter>(out.ends[1]);
    const std::string full(static_cast<std::size_t>(size) - 1, 'x');
    CHECK(writer->write(full));
    NewsWriter news(writer);
    // Nobody reads, and every one of these returns.
    const std::string line(100'000, 'y');
    std::size_t taken = 0;
    while (news.offer(line)) {
        ++taken;
    }
    CHECK(taken == interlock::base::limits::session_event_bytes_max / line.size());
    news.finish("the end");
    CHECK_FALSE(writer->broken());
    CHECK(out.line() == full);
    for (std::size_t i = 0; i < taken; ++i) {
        CHECK(out.line() == line);
    }
    CHECK(out.line() == "the end");
}

TEST_CASE("news that nobody reads end with their writer", "[server]") {
    Pipe out;
    REQUIRE(::fcntl(out.ends[1], F_SETPIPE_SZ, 4096) >= 4096);
    const auto writer = std::make_shared<LineWriter>(out.ends[1]);
    {
        NewsWriter news(writer);
        CHECK(news.offer(std::string(100'000, 'x')));
    }
    CHECK(writer->broken());
}

TEST_CASE("a reader that does not read holds up nobody who tells news", "[server]") {
    TransportRoom core;
    Pipe in;
    Pipe out;
    REQUIRE(::fcntl(out.ends[1], F_SETPIPE_SZ, 4096) >= 4096);
    std::thread thread([&] {
        StdioServer server(core.handler, core.hub, TransportRoom::user(), in.ends[0], out.ends[1]);
        server.serve();
    });
    in.write(
        R"({"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":)"
        R"({"toolsListChanged":true},)" +
        modern_meta() + "}}\n"
    );
    CHECK(out.line().find("acknowledged") != std::string::npos);
    for (int i = 0; i < 1'000; ++i) { // far more than the pipe holds
        core.hub.lists_changed({.tools = true});
    }
    in.close_write();
    thread.join();
    CHECK(out.line().find("list_changed") != std::string::npos);
    out.close_read();
    core.end();
}
