#include "base/http_client.hpp"
#include "base/json.hpp"
#include "telemetry/gzip.hpp"
#include "tests/telemetry/collector.hpp"

#include <stdexcept>
#include <zlib.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace interlock::test {

std::string gunzip(const std::string& packed) {
    z_stream stream{};
    if (::inflateInit2(&stream, MAX_WBITS + 16) != Z_OK)
        throw std::runtime_error("inflateInit2");
    std::string plain;
    std::string part(65'536, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
    stream.avail_in = static_cast<uInt>(packed.size());
    int state = Z_OK;
    while (state == Z_OK) {
        stream.next_out = reinterpret_cast<Bytef*>(part.data());
        stream.avail_out = static_cast<uInt>(part.size());
        state = ::inflate(&stream, Z_NO_FLUSH);
        plain.append(part, 0, part.size() - stream.avail_out);
    }
    ::inflateEnd(&stream);
    if (state != Z_STREAM_END)
        throw std::runtime_error("not gzip");
    return plain;
}

std::vector<std::string> Collector::names(const base::HttpRequest& request) {
    const bool packed = request.header("content-encoding") == "gzip";
    const auto parsed =
        base::parse_json(packed ? gunzip(request.body) : request.body, std::size_t{64} << 20);
    if (!parsed)
        throw std::runtime_error("not JSON");
    std::vector<std::string> names;
    for (const auto& span : (*parsed)["resourceSpans"][0]["scopeSpans"][0]["spans"])
        names.push_back(span["name"]);
    return names;
}

TEST_CASE("the collector of these tests answers as told and keeps what it got", "[telemetry]") {
    Collector collector;
    collector.answer({503, {}, ""});
    base::HttpCall call;
    call.method = "POST";
    call.url = collector.url();
    call.body = R"({"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"a"},{"name":"b"}]}]}]})";
    CHECK(base::http_call(call)->status == 503);
    CHECK(base::http_call(call)->status == 200);
    REQUIRE(collector.has(2));
    CHECK(Collector::names(collector.requests().back()) == std::vector<std::string>{"a", "b"});
    CHECK_THROWS(gunzip("plain"));
}

} // namespace interlock::test
