#include "server/era.hpp"
#include "tests/server/protocol_fixture.hpp"

#include <string>
#include <vector>

#include <catch2/catch.hpp>

namespace {

using interlock::server::classify;
using interlock::server::Era;
using interlock::server::HeaderValue;
using interlock::server::Message;
using interlock::server::RequestHeaders;
using interlock::test::protocol::modern_headers;
using interlock::test::protocol::modern_meta;

Message message(const std::string& text) {
    return std::get<Message>(interlock::server::parse_packet(text).messages.front());
}

Message request(const std::string& method, const std::string& params) {
    return message(
        R"({"jsonrpc":"2.0","id":1,"method":")" + method + R"(","params":{)" + params + "}}"
    );
}

RequestHeaders legacy_header(const std::string& version) {
    RequestHeaders headers;
    headers.version = {1, version};
    return headers;
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
        {"an old header", "tools/list", "", legacy_header("2025-06-18"), 1},
        {"a header that is no revision", "tools/list", "", legacy_header("v999"), 1},
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
        {"a resource by its uri",
         "resources/read",
         R"("uri":"test://one",)" + modern_meta(),
         modern_headers("resources/read", "test://one"),
         0},
        {"a resource by another uri",
         "resources/read",
         R"("uri":"test://one",)" + modern_meta(),
         modern_headers("resources/read", "test://two"),
         -32020},
        {"a task by its id",
         "tasks/get",
         R"("taskId":"t",)" + modern_meta(),
         modern_headers("tasks/get", "t"),
         0},
        {"a task without the header",
         "tasks/cancel",
         R"("taskId":"t",)" + modern_meta(),
         modern_headers("tasks/cancel"),
         -32020},
        {"a task's update by another id",
         "tasks/update",
         R"("taskId":"t",)" + modern_meta(),
         modern_headers("tasks/update", "u"),
         -32020},
        {"a name that is no text matches no header",
         "tools/call",
         R"("name":5,)" + modern_meta(),
         modern_headers("tools/call", "5"),
         -32020},
        {"two names",
         "tools/call",
         call,
         changed(modern_headers("tools/call"), &RequestHeaders::name, {2, "echo"}),
         -32020},
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
        outcome(message(R"({"jsonrpc":"2.0","id":1,"method":"ping","params":null})"), nullptr) == 1
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

TEST_CASE("a wrapped header value is decoded strictly, anything else is itself", "[server]") {
    using interlock::server::decode_header_name;
    CHECK(decode_header_name("echo") == "echo");
    CHECK(decode_header_name("") == "");
    CHECK(decode_header_name("=?base64?w7w=?=") == "\xc3\xbc");
    CHECK(
        decode_header_name("=?base64?"
                           "?=") == ""
    );
    // Not wrapped, or not as the marker is written: literal text.
    for (const std::string literal :
         {"=?base64?ZWNobw==",
          "ZWNobw==?=",
          "=?Base64?ZWNobw==?=",
          "=?base64?=",
          "=?utf-8?q?a?="}) {
        CHECK(decode_header_name(literal) == literal);
    }
    for (const std::string wrong :
         {"=?base64?ZWNobw?=",     // no padding
          "=?base64?ZWNobw=?=",    // too little
          "=?base64?ZWNobw===?=",  // too much
          "=?base64?ZWNobx==?=",   // bits beyond the last byte
          "=?base64?ZW No bw==?=", // white space
          "=?base64?ZWNo!w==?=",   // not of the alphabet
          "=?base64?ZWNob_-=?=",   // of another alphabet
          "=?base64?/w==?=",       // not UTF-8
          "=?base64?7aCA?="}) {    // half of a surrogate pair
        INFO(wrong);
        CHECK_FALSE(decode_header_name(wrong));
    }
}
