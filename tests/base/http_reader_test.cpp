#include "base/http_reader.hpp"

#include <catch2/catch.hpp>

namespace interlock::base {
namespace {

using State = HttpReader::State;

/// Feeds everything at once, or byte by byte; opens the gate when it is reached.
State read(HttpReader& reader, const std::string& bytes, bool bytewise = false) {
    std::string in;
    const std::size_t step = bytewise ? 1 : bytes.size();
    State state = reader.state();
    for (std::size_t at = 0; at < bytes.size(); at += step) {
        in += bytes.substr(at, step);
        state = reader.feed(in);
        if (state == State::gate) {
            state = reader.open_gate();
            if (state == State::body) {
                state = reader.feed(in);
            }
        }
        if (state == State::refused || state == State::complete) {
            break;
        }
    }
    return state;
}

const std::string host = "Host: x\r\n";

} // namespace

TEST_CASE("a request is read whole, at once or byte by byte", "[base]") {
    const bool bytewise = GENERATE(false, true);
    HttpReader reader(1'000);
    const auto state = read(
        reader,
        "POST /mcp?a=b&c HTTP/1.1\r\nHost: example\r\nX-Two: 1\r\nx-two:2 \r\n"
        "Content-Length: 5\r\n\r\nhello",
        bytewise
    );
    REQUIRE(state == State::complete);
    CHECK(reader.request().method == "POST");
    CHECK(reader.request().path == "/mcp");
    CHECK(reader.request().query == "a=b&c");
    CHECK(reader.request().body == "hello");
    CHECK(reader.request().header("host") == "example");
    CHECK(reader.request().header_count("X-TWO") == 2);
    CHECK_FALSE(reader.request().header("X-Two"));
    CHECK_FALSE(reader.request().header("absent"));
    CHECK(reader.keep_alive());
}

TEST_CASE("a first line of one or two bytes is no request", "[base]") {
    const bool bytewise = GENERATE(false, true);
    const std::string line = GENERATE("1", "GE", "");
    HttpReader reader(1'000);
    CHECK(read(reader, line + "\r\nHost: a\r\n\r\n", bytewise) == State::refused);
    CHECK(reader.refusal().status == 400);
}

TEST_CASE("a chunked body is put together, at once or byte by byte", "[base]") {
    const bool bytewise = GENERATE(false, true);
    HttpReader reader(1'000);
    const auto state = read(
        reader,
        "POST / HTTP/1.1\r\n" + host +
            "Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\nX-Late: "
            "1\r\n\r\n",
        bytewise
    );
    REQUIRE(state == State::complete);
    CHECK(reader.request().body == "hello world");
    CHECK(reader.request().header_count("X-Late") == 0);
}

TEST_CASE("bytes after a request are left for the next one", "[base]") {
    HttpReader reader(1'000);
    std::string bytes = "GET /1 HTTP/1.1\r\n" + host + "\r\nGET /2 HTTP/1.1\r\n";
    REQUIRE(reader.feed(bytes) == State::gate);
    REQUIRE(reader.open_gate() == State::complete);
    CHECK(bytes == "GET /2 HTTP/1.1\r\n");
}

TEST_CASE("the head is offered before any byte of the body is taken", "[base]") {
    HttpReader reader(10);
    std::string bytes = "PUT /x HTTP/1.1\r\n" + host + "Content-Length: 11\r\n\r\nhello worl";
    REQUIRE(reader.feed(bytes) == State::gate);
    CHECK(reader.request().body.empty());
    CHECK(bytes == "hello worl");
    CHECK(reader.feed(bytes) == State::gate);
    REQUIRE(reader.open_gate() == State::refused);
    CHECK(reader.refusal().status == 413);
}

TEST_CASE("a body that grows past the limit is refused", "[base]") {
    HttpReader reader(10);
    CHECK(
        read(
            reader,
            "POST / HTTP/1.1\r\n" + host +
                "Transfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n8\r\n12345678\r\n0\r\n\r\n"
        ) == State::refused
    );
    CHECK(reader.refusal().status == 413);
}

TEST_CASE("chunk framing without content has a limit too", "[base]") {
    HttpReader reader(10);
    const std::string endless = "POST / HTTP/1.1\r\n" + host +
                                "Transfer-Encoding: chunked\r\n\r\n1;" + std::string(100'000, 'x');
    CHECK(read(reader, endless) == State::refused);
    HttpReader tiny(1'000'000);
    std::string chunks = "POST / HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n";
    for (int i = 0; i < 1'000; ++i) {
        chunks += "1\r\nx\r\n";
    }
    CHECK(read(tiny, chunks + "0\r\n\r\n") == State::complete);
}

TEST_CASE("the head has a limit, with or without an end", "[base]") {
    const std::string start = "GET / HTTP/1.1\r\n" + host;
    HttpReader fits(0);
    const std::string filler(limits::http_header_bytes_max - start.size() - 7, 'a');
    CHECK(read(fits, start + "X: " + filler + "\r\n\r\n") == State::complete);
    HttpReader over(0);
    CHECK(read(over, start + "X: " + filler + "a\r\n\r\n") == State::refused);
    CHECK(over.refusal().status == 431);
    HttpReader endless(0);
    CHECK(read(endless, start + "X: " + std::string(100'000, 'a')) == State::refused);
    CHECK(endless.refusal().status == 431);
}

TEST_CASE("what two readers could understand differently is refused", "[base]") {
    const std::string get = "GET / HTTP/1.1\r\n";
    const std::string post = "POST / HTTP/1.1\r\n" + host;
    const auto [status, text] = GENERATE_COPY(table<unsigned, std::string>({
        {400, post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        {400, post + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"},
        {400, post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"},
        {400, post + "Content-Length: 5, 5\r\n\r\nhello"},
        {400, post + "Content-Length: +5\r\n\r\nhello"},
        {400, post + "Content-Length: 0x5\r\n\r\nhello"},
        {400, post + "Content-Length: -1\r\n\r\n"},
        {400, post + "Content-Length:\r\n\r\n"},
        {400, post + "Content-Length: 99999999999999999999\r\n\r\n"},
        {400, post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        {501, post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
        {501, post + "Transfer-Encoding: identity\r\n\r\n"},
        {501, post + "Transfer-Encoding: xchunked\r\n\r\n"},
        {400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
        {400, post + "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n"},
        {400, post + "Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n"},
        {400, post + "Transfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n"},
        {400, post + "Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX0\r\n\r\n"},
        {413, post + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n"},
        {400, post + "Transfer-Encoding: chunked\r\n\r\n\r\n\r\n"},
        {400, post + "X: a\r\n folded\r\n\r\n"},
        {400, post + "X: a\r\n\tfolded\r\n\r\n"},
        {400, "GET / HTTP/1.1\n" + host + "\r\n"},
        {400, get + "Host: x\n\r\n"},
        {400, get + host + "X: a\rb\r\n\r\n"},
        {400, get + host + "X: a\r\r\n\r\n"},
        {400, get + host + std::string("X: a\0b\r\n\r\n", 10)},
        {400,
         get + host +
             "X: a\x01"
             "b\r\n\r\n"},
        {400, get + host + "X : a\r\n\r\n"},
        {400, get + host + " X: a\r\n\r\n"},
        {400, get + host + ": a\r\n\r\n"},
        {400, get + host + "no colon\r\n\r\n"},
        {400, get + host + "X(Y): a\r\n\r\n"},
        {400, get + "\r\n"},
        {400, get + host + "Host: y\r\n\r\n"},
        {400, "\r\nGET / HTTP/1.1\r\n" + host + "\r\n"},
        {400, "GET  / HTTP/1.1\r\n" + host + "\r\n"},
        {400, "GET / HTTP/1.1 \r\n" + host + "\r\n"},
        {400, "GET /\r\n" + host + "\r\n"},
        {400, "GET / HTTP/2.0\r\n" + host + "\r\n"},
        {400, "GET / HTTP/1.2\r\n" + host + "\r\n"},
        {400, "GET / http/1.1\r\n" + host + "\r\n"},
        {400, "GET x HTTP/1.1\r\n" + host + "\r\n"},
        {400, "GET http://x/ HTTP/1.1\r\n" + host + "\r\n"},
        {400, "OPTIONS * HTTP/1.1\r\n" + host + "\r\n"},
        {400, "CONNECT x:1 HTTP/1.1\r\n" + host + "\r\n"},
        {400, "GET /#a HTTP/1.1\r\n" + host + "\r\n"},
        {400, "GET /\xc3\xa9 HTTP/1.1\r\n" + host + "\r\n"},
        {400, "G(T / HTTP/1.1\r\n" + host + "\r\n"},
        {400, " GET / HTTP/1.1\r\n" + host + "\r\n"},
        {400, std::string("\x16\x03\x01\x02\x00", 5)},
        {417, post + "Expect: 200-ok\r\nContent-Length: 0\r\n\r\n"},
    }));
    CAPTURE(text);
    HttpReader at_once(1'000);
    REQUIRE(read(at_once, text) == State::refused);
    CHECK(at_once.refusal().status == status);
    HttpReader bytewise(1'000);
    CHECK(read(bytewise, text, true) == State::refused);
    CHECK(bytewise.refusal().status == status);
}

TEST_CASE("HTTP/1.0 needs no Host and is not kept alive", "[base]") {
    HttpReader reader(10);
    REQUIRE(read(reader, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n") == State::complete);
    CHECK(reader.http_1_0());
    CHECK_FALSE(reader.keep_alive());
}

TEST_CASE(
    "a client may ask for the connection to end, or wait before it sends its body", "[base]"
) {
    HttpReader closing(10);
    REQUIRE(
        read(closing, "GET / HTTP/1.1\r\n" + host + "Connection: close\r\n\r\n") == State::complete
    );
    CHECK_FALSE(closing.keep_alive());
    HttpReader waiting(10);
    std::string bytes =
        "POST / HTTP/1.1\r\n" + host + "Expect: 100-Continue\r\nContent-Length: 2\r\n\r\n";
    REQUIRE(waiting.feed(bytes) == State::gate);
    CHECK(waiting.expects_continue());
}

} // namespace interlock::base
