#include "base/http_head.hpp"

#include <catch2/catch.hpp>

namespace interlock::base {
namespace {

const Time day = *parse_time("1994-11-06T08:49:37Z");

} // namespace

TEST_CASE("an answer has a date, its headers and the length of its body", "[base]") {
    CHECK(
        render_head({200, {{"Content-Type", "text/plain"}}, "hi"}, {}, day) ==
        "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/plain\r\n"
        "Content-Length: 2\r\n\r\n"
    );
}

TEST_CASE("a header can neither end its line nor reframe the answer", "[base]") {
    const HttpResponse hostile{
        302,
        {{"Location", "/x\r\nSet-Cookie: a=b\r\n\r\nbody"},
         {"X\r\nY", "1"},
         {"", "2"},
         {"Content-Length", "999"},
         {"transfer-encoding", "chunked"},
         {"Connection", "upgrade"}},
        ""};
    const std::string answer = render_head(hostile, {}, day);
    CHECK(answer.find("\r\nSet-Cookie") == std::string::npos);
    CHECK(answer.find("\r\nY") == std::string::npos);
    CHECK(answer.find("999") == std::string::npos);
    CHECK(answer.find("chunked") == std::string::npos);
    CHECK(answer.find("upgrade") == std::string::npos);
    CHECK(answer.find("\r\n\r\n") == answer.size() - 4);
}

TEST_CASE("answers that must not have a body have none", "[base]") {
    const HttpFraming head{false, true, false};
    const std::string to_head = render_head({200, {}, "body"}, head, day);
    CHECK(to_head.ends_with("Content-Length: 4\r\n\r\n"));
    CHECK_FALSE(sends_body({200, {}, "body"}, head));
    CHECK(sends_body({200, {}, "body"}, {}));
    CHECK_FALSE(sends_body({204, {}, "body"}, {}));
    CHECK_FALSE(sends_body({304, {}, "body"}, {}));
    const std::string empty = render_head({204, {}, "body"}, {}, day);
    CHECK(empty.find("Content-Length") == std::string::npos);
    CHECK(empty.ends_with("\r\n\r\n"));
}

TEST_CASE("the end of the connection is announced", "[base]") {
    CHECK(
        render_head({}, {false, false, true}, day).find("Connection: close\r\n") !=
        std::string::npos
    );
    CHECK(
        render_head({}, {true, false, false}, day).find("Connection: close\r\n") !=
        std::string::npos
    );
    CHECK(render_head({}, {}, day).find("Connection") == std::string::npos);
}

TEST_CASE("a stream is chunked, except for HTTP/1.0 and HEAD", "[base]") {
    const HttpFraming old{true, false, true};
    const HttpFraming head{false, true, false};
    CHECK(
        render_stream_head(200, {}, {}, day).find("Transfer-Encoding: chunked\r\n") !=
        std::string::npos
    );
    CHECK(render_stream_head(200, {}, old, day).find("chunked") == std::string::npos);
    CHECK(render_chunk(std::string(26, 'x'), {}) == "1a\r\n" + std::string(26, 'x') + "\r\n");
    CHECK(render_chunk("", {}).empty());
    CHECK(render_chunk("x", old) == "x");
    CHECK(render_chunk("x", head).empty());
    CHECK(render_stream_end({}) == "0\r\n\r\n");
    CHECK(render_stream_end(old).empty());
    CHECK(render_stream_end(head).empty());
}

} // namespace interlock::base
