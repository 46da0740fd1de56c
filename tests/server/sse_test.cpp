#include "server/sse.hpp"

#include <catch2/catch.hpp>

using namespace std::chrono_literals;
using interlock::server::sse_keep_alive;
using interlock::server::sse_message;
using interlock::server::sse_priming;
using interlock::server::sse_retry;

TEST_CASE("a message is one event with or without an id", "[server]") {
    CHECK(sse_message(R"({"a":1})") == "event: message\ndata: {\"a\":1}\n\n");
    CHECK(sse_message(R"({"a":1})", "3-7") == "id: 3-7\nevent: message\ndata: {\"a\":1}\n\n");
}

TEST_CASE("nothing in a message can end its event", "[server]") {
    const std::string pretty = "{\r\n  \"a\": 1,\r  \"b\": 2\n\n}";
    CHECK(sse_message(pretty) == "event: message\ndata: {    \"a\": 1,   \"b\": 2  }\n\n");
    // What Unicode calls a line end, and some readers take for one, stays the same JSON value.
    CHECK(
        sse_message("{\"a\":\"x\u2028y\u2029z\u0085\"}") ==
        "event: message\ndata: {\"a\":\"x\\u2028y\\u2029z\\u0085\"}\n\n"
    );
    CHECK(
        sse_message("\"\u00e9\u2019\u20ac\"") == "event: message\ndata: \"\u00e9\u2019\u20ac\"\n\n"
    );
    CHECK(sse_message("\"\\n\"") == "event: message\ndata: \"\\n\"\n\n");
    CHECK(sse_message("\xE2") == "event: message\ndata: \xE2\n\n"); // cut off in the middle
}

TEST_CASE("priming, retry and keep-alive say what they are for", "[server]") {
    CHECK(sse_priming("1-1") == "id: 1-1\ndata:\n\n");
    CHECK(sse_retry(500ms) == "retry: 500\n\n");
    CHECK(sse_keep_alive() == ":\n\n");
}
