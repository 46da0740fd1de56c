#include "base/http_chunks.hpp"

#include <algorithm>
#include <string>

#include <catch2/catch.hpp>

namespace interlock::base {
namespace {

using State = ChunkReader::State;

struct Read {
    State state = State::more;
    std::string body;
    std::string left; // over, behind the end
};

Read read(const std::string& bytes, std::size_t step, std::size_t body_bytes_max = 100) {
    ChunkReader reader(body_bytes_max);
    Read result;
    for (std::size_t at = 0; at < bytes.size() && result.state == State::more;) {
        std::size_t used = 0;
        result.state = reader.feed(std::string_view(bytes).substr(at, step), result.body, used);
        at += result.state == State::more ? std::min(step, bytes.size() - at) : used;
        result.left = bytes.substr(at);
    }
    return result;
}

} // namespace

TEST_CASE("chunks are put together however they arrive", "[base]") {
    const std::size_t step = GENERATE(1, 2, 3, 7, 1'000);
    const Read result =
        read("5\r\nhello\r\n1;a=\"b;c\"\r\n \r\n005\r\nworld\r\n0\r\nX-Y: z\r\n\r\nGET", step);
    CHECK(result.state == State::complete);
    CHECK(result.body == "hello world");
    CHECK(result.left == "GET");
}

TEST_CASE("what is no chunk is refused at its first wrong byte", "[base]") {
    const std::size_t step = GENERATE(1, 1'000);
    const std::string bytes = GENERATE(
        as<std::string>{},
        "\r\n",
        "g\r\n",
        "-1\r\n",
        "0x1\r\n",
        "5 \r\nhello\r\n",
        "5\nhello\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "1;a\nb\r\nx\r\n",
        "1;a=\"\n\"\r\nx\r\n",
        "1;\x01\r\nx\r\n",
        "1;\x7f\r\nx\r\n",
        "000000000\r\n",
        "0\r{}\r\n",
        "0\r\n\n",
        "0\r\n X: y\r\n\r\n",
        "0\r\nX\r\n\r\n",
        "0\r\nX : y\r\n\r\n",
        "0\r\nX: y\n\r\n",
        "0\r\nContent-Length: 4\r\n\r\n",
        "0\r\ntransfer-encoding: chunked\r\n\r\n",
        "0\r\n\rx"
    );
    CAPTURE(bytes);
    CHECK(read(bytes, step).state == State::malformed);
}

TEST_CASE("a body past its limit is refused before it is read", "[base]") {
    CHECK(read("64\r\n", 1).state == State::more);
    CHECK(read("65\r\n", 1).state == State::too_large);
    CHECK(read("ffffffff\r\n", 1).state == State::too_large);
    CHECK(read("5\r\nhello\r\n60\r\n", 1).state == State::too_large);
    CHECK(read("5\r\nhello\r\n5f\r\n", 1).state == State::more);
}

} // namespace interlock::base
