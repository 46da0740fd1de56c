#include "server/era.hpp"
#include "tests/server/fixture.hpp"

#include <string>
#include <vector>

#include <catch2/catch.hpp>

namespace {

using interlock::server::classify;
using interlock::server::Era;
using interlock::server::HeaderValue;
using interlock::server::Message;
using interlock::server::RequestHeaders;
using interlock::test::modern_headers;
using interlock::test::modern_meta;

Message message(const std::string& text) {
    return std::get<Message>(interlock::server::parse_packet(text).messages.front());
}

Message request(const std::string& method, const std::string& params) {
    return message(
        R"({"jsonrpc":"2.0","id":1,"method":")" + method + R"(","params":{)" + params + "}}"
    );
}

/// 0: modern and fine; 1: legacy; else the refusal's code.
int outcome(const Message& read, const RequestHeaders* headers) {
    const auto classified = classify(read, headers);
    if (classified.era == Era::legacy) {
        return 1;
    }
    return classified.refusal ? classified.refusal->code : 0;
}

} // namespace

TEST_CASE(
    "the era of an HTTP message follows from body or header, checks from a fixed order", "[server]"
) {
    struct Row {
        const char* about;
        std::string method;
        std::string params;
        RequestHeaders headers;
        int expected;
    };
    const auto changed =
        [](RequestHeaders headers, HeaderValue RequestHeaders::*field, HeaderValue value) {
            headers.*field = std::move(value);
            return headers;
        };
    const auto listing = modern_headers("tools/list");
    const std::string no_capabilities =
        R"("_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"})";
    const std::string call = R"("name":"echo",)" + modern_meta();
    const std::vector<Row> rows{
        {"complete", "tools/list", modern_meta(), listing, 0},
        {"nothing modern", "tools/list", "", {}, 1},
        {"an old header", "tools/list", "", {{1, "2025-06-18"}, {}, {}, {}}, 1},
        {"a header that is no revision", "tools/list", "", {{1, "v999"}, {}, {}, {}}, 1},
        {"body without header", "tools/list", modern_meta(), {}, -32020},
        {"body without header or capabilities", "tools/list", no_capabilities, {}, -32020},
        {"header without _meta", "tools/list", "", listing, -32602},
        {"header with an empty _meta", "tools/list", R"("_meta":{})", listing, -32602},
        {"header with a _meta that is no object", "tools/list", R"("_meta":7)", listing, -32602},
        {"_meta without capabilities", "tools/list", no_capabilities, listing, -32602},
        {"header and body differ", "tools/list", modern_meta("2099-01-01"), listing, -32020},
        {"header modern, body unknown", "tools/list", modern_meta("v999"), listing, -32020},
        {"both unknown",
         "tools/list",
         modern_meta("v999"),
         modern_headers("tools/list", "", "v999"),
         -32022},
        {"both from the future",
         "tools/list",
         modern_meta("2099-01-01"),
         modern_headers("tools/list", "", "2099-01-01"),
         -32022},
        {"a legacy version in a modern envelope",
         "tools/list",
         modern_meta("2025-11-25"),
         modern_headers("tools/list", "", "2025-11-25"),
         -32022},
        {"two version headers",
         "tools/list",
         modern_meta(),
         changed(listing, &RequestHeaders::version, {2, "2026-07-28"}),
         -32020},
        {"no method header",
         "tools/list",
         modern_meta(),
         changed(listing, &RequestHeaders::method, {}),
         -32020},
        {"another method header",
         "tools/list",
         modern_meta(),
         modern_headers("tools/call"),
         -32020},
        {"method header in another case",
         "tools/list",
         modern_meta(),
         modern_headers("Tools/List"),
         -32020},
        {"a method header that differs comes before the version",
         "tools/list",
         modern_meta("v999"),
         modern_headers("tools/call", "", "v999"),
         -32020},
        {"call with its name", "tools/call", call, modern_headers("tools/call", "echo"), 0},
        {"call with its name in base64",
         "tools/call",
         call,
         modern_headers("tools/call", "=?base64?ZWNobw==?="),
         0},
        {"call with bad padding",
         "tools/call",
         call,
         modern_headers("tools/call", "=?base64?ZWNobw?="),
         -32020},
        {"call with a character outside base64",
         "tools/call",
         call,
         modern_headers("tools/call", "=?base64?ZWNo!w==?="),
         -32020},
        {"call with upper-case markers is literal",
         "tools/call",
         call,
         modern_headers("tools/call", "=?BASE64?ZWNobw==?="),
         -32020},
        {"call without a name header", "tools/call", call, modern_headers("tools/call"), -32020},
        {"call with another name",
         "tools/call",
         call,
         modern_headers("tools/call", "fails"),
         -32020},
        {"name header without a name",
         "tools/call",
         modern_meta(),
         modern_headers("tools/call", "echo"),
         -32020},
        {"neither name nor name header",
         "tools/call",
         modern_meta(),
         modern_headers("tools/call"),
         0},
        {"a session header changes nothing",
         "tools/list",
         modern_meta(),
         changed(listing, &RequestHeaders::session, {1, "anything"}),
         0},
    };
    for (const Row& row : rows) {
        INFO(row.about);
        CHECK(outcome(request(row.method, row.params), &row.headers) == row.expected);
    }
}

TEST_CASE("on stdio the envelope alone decides the era", "[server]") {
    CHECK(outcome(request("tools/list", modern_meta()), nullptr) == 0);
    CHECK(outcome(request("tools/list", ""), nullptr) == 1);
    CHECK(outcome(request("tools/list", modern_meta("v999")), nullptr) == -32022);
    CHECK(outcome(request("initialize", R"("protocolVersion":"2025-11-25")"), nullptr) == 1);
    CHECK(outcome(message(R"({"jsonrpc":"2.0","id":1,"method":"ping"})"), nullptr) == 1);
    CHECK(
        outcome(message(R"({"jsonrpc":"2.0","id":1,"method":"ping","params":[]})"), nullptr) == 1
    );
}

TEST_CASE("an unsupported version is told with what is supported", "[server]") {
    const auto headers = modern_headers("server/discover", "", "2027-01-01");
    const auto classified =
        classify(request("server/discover", modern_meta("2027-01-01")), &headers);
    REQUIRE(classified.refusal);
    CHECK(classified.refusal->data == R"({"requested":"2027-01-01","supported":["2026-07-28"]})");
}

TEST_CASE("a modern client sends no answers over HTTP", "[server]") {
    const auto headers = modern_headers("x");
    CHECK(outcome(message(R"({"jsonrpc":"2.0","id":1,"result":{}})"), &headers) == -32600);
    CHECK(outcome(message(R"({"jsonrpc":"2.0","method":"x"})"), &headers) == 0);
    CHECK(outcome(message(R"({"jsonrpc":"2.0","method":"y"})"), &headers) == -32020);
}
