#include "base/limits.hpp"
#include "server/event_streams.hpp"
#include "server/sse.hpp"

#include <atomic>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

namespace {

namespace limits = interlock::base::limits;
using namespace std::chrono_literals;
using interlock::server::EventStreams;
using interlock::server::sse_keep_alive;
using interlock::server::sse_message;
using interlock::server::sse_priming;
using interlock::server::StreamCarrier;

/// The client's end of a connection.
struct Wire {
    StreamCarrier carrier() const {
        return {
            [state = state](std::string bytes) {
                if (state->broken) {
                    return false;
                }
                state->got += bytes;
                return true;
            },
            [state = state] { state->ended = true; }};
    }
    std::string take() { return std::exchange(state->got, {}); }
    bool ended() const { return state->ended; }
    void cut() { state->broken = true; }

    struct State {
        std::string got;
        std::atomic<bool> broken = false;
        std::atomic<bool> ended = false;
    };
    std::shared_ptr<State> state = std::make_shared<State>();
};

/// The value of the last `id:` line.
std::string last_id(const std::string& bytes) {
    const auto begin = bytes.rfind("id: ") + 4;
    return bytes.substr(begin, bytes.find('\n', begin) - begin);
}

} // namespace

TEST_CASE("a stream that can be resumed begins with an id and numbers its events", "[server]") {
    EventStreams streams;
    Wire wire;
    const auto stream = streams.open(wire.carrier(), true);
    CHECK(wire.take() == sse_priming("1-1"));
    CHECK(stream->write("1"));
    CHECK(wire.take() == sse_message("1", "1-2"));
    stream->finish("2");
    CHECK(wire.take() == sse_message("2", "1-3"));
    CHECK(wire.ended());
    CHECK_FALSE(stream->write("3"));
    stream->finish("4");
    CHECK(wire.take().empty());
}

TEST_CASE(
    "a stream that cannot be resumed has no ids and is lost with its connection", "[server]"
) {
    EventStreams streams;
    Wire wire;
    const auto stream = streams.open(wire.carrier(), false);
    CHECK(wire.take().empty());
    CHECK(stream->write("1"));
    CHECK(wire.take() == sse_message("1"));
    stream->pause(10ms);
    CHECK_FALSE(wire.ended());
    wire.cut();
    CHECK_FALSE(stream->write("2"));
    CHECK_FALSE(streams.resume("1-1", Wire().carrier()));
    CHECK_FALSE(streams.carried());
}

TEST_CASE("a client that lost its connection misses nothing", "[server]") {
    EventStreams streams;
    Wire first;
    const auto stream = streams.open(first.carrier(), true);
    stream->write("1");
    const std::string seen = last_id(first.take());
    first.cut();
    CHECK(stream->write("2"));
    CHECK(stream->write("3"));

    Wire second;
    REQUIRE(streams.resume(seen, second.carrier()));
    CHECK(second.take() == sse_keep_alive() + sse_message("2", "1-3") + sse_message("3", "1-4"));
    CHECK(stream->write("4"));
    const std::string later = last_id(second.take());
    second.cut();
    stream->finish("5");

    Wire third;
    REQUIRE(streams.resume(later, third.carrier()));
    CHECK(third.take() == sse_keep_alive() + sse_message("5", "1-6"));
    CHECK(third.ended());
    // Bytes on their way may have been lost: the same place can be asked for again.
    Wire fourth;
    REQUIRE(streams.resume(seen, fourth.carrier()));
    CHECK(fourth.take().ends_with(sse_message("5", "1-6")));
    CHECK(fourth.ended());
}

TEST_CASE("only the stream that an id belongs to is replayed", "[server]") {
    EventStreams streams;
    Wire one;
    Wire two;
    const auto first = streams.open(one.carrier(), true);
    const auto second = streams.open(two.carrier(), true);
    first->write("\"one\"");
    second->write("\"two\"");
    first->finish("\"last of one\"");
    Wire back;
    REQUIRE(streams.resume("1-1", back.carrier()));
    const std::string replayed = back.take();
    CHECK(replayed.find("last of one") != std::string::npos);
    CHECK(replayed.find("two") == std::string::npos);
    CHECK_FALSE(two.ended());
}

TEST_CASE("an id that was never given is refused and its connection left alone", "[server]") {
    EventStreams streams;
    Wire wire;
    const auto first = streams.open(wire.carrier(), true);
    const auto second = streams.open(wire.carrier(), true);
    second->write("1");
    for (const char* id :
         {"",
          "1",
          "1-",
          "-1",
          "1-1x",
          " 1-1",
          "1-3",
          "2-1",
          "9-1",
          "0-0",
          "1--1",
          "+1-1",
          "99999999999999999999-1",
          "1-99999999999999999999"}) {
        Wire back;
        INFO(id);
        CHECK_FALSE(streams.resume(id, back.carrier()));
        CHECK(back.take().empty());
        CHECK_FALSE(back.ended());
    }
}

TEST_CASE("a stream is carried by one connection at a time", "[server]") {
    EventStreams streams;
    Wire first;
    const auto stream = streams.open(first.carrier(), true);
    first.take();
    Wire second;
    REQUIRE(streams.resume("1-1", second.carrier()));
    CHECK(first.ended());
    stream->write("1");
    CHECK(first.take().empty());
    CHECK(second.take().find("data: 1\n") != std::string::npos);
}

TEST_CASE("a pause lets the connection go and keeps the stream", "[server]") {
    EventStreams streams;
    Wire wire;
    const auto stream = streams.open(wire.carrier(), true);
    stream->pause(500ms);
    CHECK(wire.take() == sse_priming("1-1") + "retry: 500\n\n");
    CHECK(wire.ended());
    stream->finish("1");
    Wire back;
    REQUIRE(streams.resume("1-1", back.carrier()));
    CHECK(back.take() == sse_keep_alive() + sse_message("1", "1-2"));
    CHECK(back.ended());
}

TEST_CASE("the standing stream carries what concerns no request", "[server]") {
    EventStreams streams;
    CHECK_FALSE(streams.tell("0"));
    Wire request;
    const auto stream = streams.open(request.carrier(), true);
    request.take();
    Wire first;
    streams.open_standing(first.carrier(), true);
    CHECK(first.take() == sse_priming("2-2"));
    CHECK(streams.tell("1"));
    CHECK(first.take() == sse_message("1", "2-3"));
    CHECK(request.take().empty()); // a message goes out on one stream only

    Wire second;
    streams.open_standing(second.carrier(), true);
    CHECK(first.ended());
    CHECK(second.take() == sse_priming("2-4"));
    second.cut();
    CHECK(streams.tell("2"));
    Wire third;
    REQUIRE(streams.resume("2-4", third.carrier()));
    CHECK(third.take() == sse_keep_alive() + sse_message("2", "2-5"));
    CHECK_FALSE(third.ended());
}

TEST_CASE("a standing stream of an older client is there while it is carried", "[server]") {
    EventStreams streams;
    Wire wire;
    streams.open_standing(wire.carrier(), false);
    CHECK(wire.take() == sse_keep_alive()); // so that the head of the answer goes out
    CHECK(streams.tell("1"));
    CHECK(wire.take() == sse_message("1"));
    wire.cut();
    CHECK_FALSE(streams.tell("2"));
    Wire back;
    streams.open_standing(back.carrier(), false);
    CHECK(streams.tell("3"));
    CHECK(back.take() == sse_keep_alive() + sse_message("3"));
}

TEST_CASE("keep-alive comments go to the streams that are carried", "[server]") {
    EventStreams streams;
    Wire wire;
    Wire broken;
    const auto stream = streams.open(wire.carrier(), false);
    const auto other = streams.open(broken.carrier(), false);
    broken.cut();
    streams.keep_alive();
    CHECK(wire.take() == sse_keep_alive());
    CHECK(broken.take().empty());
    CHECK(streams.carried());
    wire.cut();
    streams.keep_alive();
    CHECK_FALSE(streams.carried());
}

TEST_CASE(
    "the oldest events go first when a session keeps too much, and the gap is told", "[server]"
) {
    EventStreams streams;
    Wire wire;
    const auto stream = streams.open(wire.carrier(), true);
    wire.cut();
    const std::string message = '"' + std::string(limits::session_event_bytes_max / 8, 'x') + '"';
    for (int i = 0; i < 10; ++i) {
        CHECK(stream->write(message));
    }
    stream->finish("\"the answer\"");
    Wire back;
    REQUIRE(streams.resume("1-1", back.carrier()));
    const std::string replayed = back.take();
    CHECK(replayed.starts_with(": "));
    CHECK_FALSE(replayed.starts_with(sse_keep_alive()));
    CHECK(replayed.size() < limits::session_event_bytes_max + 100);
    CHECK(replayed.find("id: 1-2\n") == std::string::npos);
    CHECK(replayed.find("id: 1-11\n") != std::string::npos);
    CHECK(replayed.ends_with(sse_message("\"the answer\"", "1-12")));
    Wire no_gap;
    REQUIRE(streams.resume("1-11", no_gap.carrier()));
    CHECK(no_gap.take() == sse_keep_alive() + sse_message("\"the answer\"", "1-12"));
}

TEST_CASE("a message larger than everything that is kept still reaches its client", "[server]") {
    EventStreams streams;
    Wire wire;
    const auto stream = streams.open(wire.carrier(), true);
    wire.take();
    stream->finish('"' + std::string(limits::session_event_bytes_max, 'x') + '"');
    CHECK(wire.take().size() > limits::session_event_bytes_max);
    Wire back;
    REQUIRE(streams.resume("1-1", back.carrier()));
    CHECK(back.take().find("not kept") != std::string::npos);
}

TEST_CASE("finished streams make room first, then those that nobody carries", "[server]") {
    EventStreams streams;
    std::vector<Wire> wires(limits::session_streams_max);
    std::vector<std::shared_ptr<interlock::server::EventStream>> open;
    for (const Wire& wire : wires) {
        open.push_back(streams.open(wire.carrier(), true));
    }
    const auto id_of = [&](std::size_t index) { return last_id(wires[index].state->got); };
    Wire extra;
    const auto unkept = streams.open(extra.carrier(), true); // all are in use
    CHECK(unkept->write("1"));
    CHECK(extra.take() == sse_message("1"));

    wires[0].cut();
    open[0]->write("1"); // notices
    open[5]->finish("1");
    Wire next;
    const auto after_finished = streams.open(next.carrier(), true);
    CHECK_FALSE(streams.resume(id_of(5), Wire().carrier()));
    Wire last;
    const auto after_alone = streams.open(last.carrier(), true);
    CHECK_FALSE(streams.resume(id_of(0), Wire().carrier()));
    CHECK_FALSE(open[0]->write("2"));
    CHECK(streams.resume(id_of(1), Wire().carrier()));
}

TEST_CASE("the end of a session ends every connection", "[server]") {
    EventStreams streams;
    Wire request;
    Wire standing;
    const auto stream = streams.open(request.carrier(), true);
    streams.open_standing(standing.carrier(), true);
    streams.close();
    CHECK(request.ended());
    CHECK(standing.ended());
    CHECK_FALSE(stream->write("1"));
    CHECK_FALSE(streams.tell("1"));
    CHECK_FALSE(streams.resume("1-1", Wire().carrier()));
    Wire late;
    streams.open_standing(late.carrier(), true);
    CHECK(late.ended());
    // A call that is under way still answers, to whoever waits for it.
    Wire call;
    streams.open(call.carrier(), true)->finish("1");
    CHECK(call.take() == sse_message("1"));
    CHECK(call.ended());
}

TEST_CASE("a stream whose writer is gone has ended", "[server]") {
    EventStreams streams;
    Wire wire;
    streams.open(wire.carrier(), true);
    CHECK(wire.ended());
    CHECK_FALSE(streams.carried());
}

TEST_CASE("writers and returning clients do not disturb each other", "[server]") {
    constexpr int events = 500;
    EventStreams streams;
    Wire first;
    const auto stream = streams.open(first.carrier(), true);
    std::thread writer([&] {
        for (int i = 0; i < events; ++i) {
            stream->write(std::to_string(i));
        }
        stream->finish("\"end\"");
    });
    std::string last;
    for (int i = 0; i < 50; ++i) {
        Wire back;
        REQUIRE(streams.resume("1-1", back.carrier()));
        if (i % 5 == 0) { // more often, and what is kept is too old
            streams.keep_alive();
        }
    }
    writer.join();
    Wire back;
    REQUIRE(streams.resume("1-1", back.carrier()));
    std::string expected = sse_keep_alive();
    for (int i = 0; i < events; ++i) {
        expected += sse_message(std::to_string(i), "1-" + std::to_string(i + 2));
    }
    expected += sse_message("\"end\"", "1-" + std::to_string(events + 2));
    CHECK(back.take() == expected);
}

namespace {

/// A connection that is gone, and one that remembers.
interlock::server::StreamCarrier lost() {
    return {[](const std::string&) { return false; }, [] {}};
}
interlock::server::StreamCarrier into(std::string& text) {
    return {
        [&text](const std::string& bytes) {
            text += bytes;
            return true;
        },
        [] {}};
}

} // namespace

TEST_CASE("what all sessions keep together is bounded", "[server]") {
    using interlock::server::EventStream;
    using interlock::server::EventStreams;
    const std::string message(interlock::base::limits::session_event_bytes_max - 1'000, 'x');
    {
        std::vector<std::unique_ptr<EventStreams>> sessions;
        std::vector<std::shared_ptr<EventStream>> streams;
        for (int i = 0; i < 70; ++i) {
            sessions.push_back(std::make_unique<EventStreams>());
            streams.push_back(sessions.back()->open(lost(), true));
            CHECK(streams.back()->write(message));
        }
        std::string first;
        CHECK(sessions.front()->resume("1-1", into(first)));
        CHECK(first.find(message) != std::string::npos);
        std::string last;
        CHECK(sessions.back()->resume("1-1", into(last)));
        CHECK(last.find("not kept") != std::string::npos);
        CHECK(last.size() < 1'000);
    }
    // The room is free again when the sessions are gone.
    EventStreams later;
    const auto stream = later.open(lost(), true);
    CHECK(stream->write(message));
    std::string text;
    CHECK(later.resume("1-1", into(text)));
    CHECK(text.find(message) != std::string::npos);
}

TEST_CASE("nothing is kept for ever for a client that does not come back", "[server]") {
    interlock::server::EventStreams streams;
    const auto under_way = streams.open(lost(), true);
    const auto ended = streams.open(lost(), true);
    CHECK(under_way->write("1"));
    ended->finish("2");
    for (int i = 0; i < 20; ++i) {
        streams.keep_alive();
    }
    std::string text;
    CHECK(streams.resume("2-2", into(text)));
    CHECK(text.find("data: 2") != std::string::npos);
    streams.keep_alive();
    CHECK_FALSE(streams.resume("2-2", into(text)));
    std::string late;
    CHECK(streams.resume("1-1", into(late)));
    CHECK(late.find("not kept") != std::string::npos);
}
